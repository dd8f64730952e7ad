package watch

import (
	"sync/atomic"
	"testing"
	"time"
)

// planted counts the canaries that were made.
type planted struct {
	Directory
	count atomic.Int64
}

func (p *planted) Plant(name string) error {
	p.count.Add(1)
	return p.Directory.Plant(name)
}

func TestTheSelfTestIsMadeAtTheStartAndDaily(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	var dir *planted
	r := inRealDirectory(t, func(o *Options) {
		dir = &planted{Directory: o.Dir}
		o.Dir, o.Now = dir, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	start(t, r.w)
	r.armed(t)
	for day := int64(1); day <= 3; day++ {
		if n := dir.count.Load(); n != day {
			t.Fatalf("%d self-tests on day %d", n, day)
		}
		look := func() {
			if _, err := r.w.Scan(t.Context(), Request{}); err != nil { // the watch wakes up, and sees how late it is
				t.Fatal(err)
			}
		}
		ahead.Store(int64(time.Duration(day)*canaryEvery - time.Minute))
		look()
		if n := dir.count.Load(); n != day {
			t.Fatalf("%d self-tests a minute before day %d is over", n, day)
		}
		ahead.Store(int64(time.Duration(day)*canaryEvery + time.Minute))
		until(t, "the next self-test passes", func() bool {
			look()
			return dir.count.Load() == day+1 && r.w.Status().SelfTest == TestOK
		})
	}
}
