package app

import (
	"runtime/debug"
	"testing"
	"testing/fstest"
)

// tree makes a root of pairs of file and content.
func tree(pairs ...string) fstest.MapFS {
	root := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		root[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1] + "\n")}
	}
	return root
}

func TestMemoryOfTheContainerIsFound(t *testing.T) {
	t.Parallel()
	const v1 = "5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n1:name=systemd:/docker/ab\n0::/"
	for name, c := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"version 2, a group space of its own": {tree("proc/self/cgroup", "0::/", "sys/fs/cgroup/memory.max", "268435456"), 256 << 20},
		"version 2, a group above is tighter": {tree("proc/self/cgroup", "0::/pods/p/c", "sys/fs/cgroup/pods/p/c/memory.max", "max", "sys/fs/cgroup/pods/p/memory.max", "134217728"), 128 << 20},
		"version 2, no limit":                 {tree("proc/self/cgroup", "0::/", "sys/fs/cgroup/memory.max", "max"), 0},
		"version 1, the container's mount":    {tree("proc/self/cgroup", v1, "sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864"), 64 << 20},
		"version 1, the machine's mount":      {tree("proc/self/cgroup", v1, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712", "sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes", "67108864"), 64 << 20},
		"version 1, no limit":                 {tree("proc/self/cgroup", v1, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"), 0},
		"version 1, pages of 64 KiB":          {tree("proc/self/cgroup", v1, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854710272"), 0},
		"no control groups":                   {tree(), 0},
		"nonsense":                            {tree("proc/self/cgroup", "x\n0::/", "sys/fs/cgroup/memory.max", "much"), 0},
	} {
		got, limited := containerMemory(c.root)
		if limited != (c.want > 0) || limited && got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, limited, c.want)
		}
	}
}

// Not parallel: the limit is the process's.
func TestRuntimeIsToldNineTenthsUnlessTheOperatorHasChosen(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	root := tree("proc/self/cgroup", "0::/", "sys/fs/cgroup/memory.max", "1073741824")
	if told := limitMemory([]string{"GOMEMLIMIT=2GiB"}, root); told != 0 || debug.SetMemoryLimit(-1) != before {
		t.Errorf("told %d over the operator's choice", told)
	}
	const want = 1073741824 / 10 * 9
	if told := limitMemory([]string{"GOMEMLIMIT="}, root); told != want || debug.SetMemoryLimit(-1) != want {
		t.Errorf("told %d, the runtime has %d; want %d", told, debug.SetMemoryLimit(-1), want)
	}
	tight := tree("proc/self/cgroup", "0::/", "sys/fs/cgroup/memory.max", "16777216")
	if told := limitMemory(nil, tight); told != leastLimit {
		t.Errorf("told %d of a container that is too small", told)
	}
}
