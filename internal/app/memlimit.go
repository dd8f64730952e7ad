package app

import (
	"bytes"
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// leastLimit is the least that is told to the runtime: below, it would do nothing
// but collect garbage, and the kernel's end is the better one.
const leastLimit = 24 << 20

// limitMemory tells the runtime nine tenths of the memory that the container may
// use, unless the operator has chosen by GOMEMLIMIT: near it garbage is collected
// more often, instead of the kernel killing the program. The last tenth is for what
// the runtime does not count. It gives what was told; 0: nothing, there is no limit.
func limitMemory(environ []string, root fs.FS) int64 {
	if chosen(environ, "GOMEMLIMIT") {
		return 0
	}
	allowed, limited := containerMemory(root)
	if !limited {
		return 0
	}
	limit := max(allowed/10*9, leastLimit)
	debug.SetMemoryLimit(limit)
	return limit
}

// containerMemory is the least memory limit of the control groups that this process
// is in, version 2 or 1. root is the root of the file system.
func containerMemory(root fs.FS) (int64, bool) {
	membership, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	least := int64(math.MaxInt64)
	for line := range bytes.Lines(membership) { // id:controllers:path
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[1] == "":
			least = min(least, leastOnTheWay(root, "sys/fs/cgroup", parts[2], "memory.max"))
		case strings.Contains(","+parts[1]+",", ",memory,"):
			least = min(least, leastOnTheWay(root, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes"))
		}
	}
	return least, least < unlimited
}

// unlimited is what version 1 says of a group without a limit, and more than any
// machine has: the largest number of whole pages.
const unlimited = math.MaxInt64 / (64 << 10) * (64 << 10)

// leastOnTheWay is the least limit from the group up to the root of what is mounted.
// In a container the mount mostly begins at its own group, while the path is the
// machine's: what is not there is passed over.
func leastOnTheWay(root fs.FS, mount, group, file string) int64 {
	least := int64(math.MaxInt64)
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		if text, err := fs.ReadFile(root, path.Join(mount, at, file)); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 { // not "max"
				least = min(least, n)
			}
		}
		if at == "/" {
			return least
		}
	}
}
