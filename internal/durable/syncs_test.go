package durable

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// asked waits until n have asked for a sync of name.
func (s *syncs) awaitAsked(name string, n int64) {
	for {
		s.mu.Lock()
		t := s.running[name]
		enough := t != nil && t.asked >= n
		s.mu.Unlock()
		if enough {
			return
		}
		runtime.Gosched()
	}
}

func TestSyncsThatComeTogetherAreShared(t *testing.T) {
	t.Parallel()
	const many = 20
	var s syncs
	var began atomic.Int64
	release := make(chan struct{})
	one := func() error {
		began.Add(1)
		<-release
		return nil
	}
	var all sync.WaitGroup
	ask := func() {
		if err := s.together("x", one); err != nil {
			t.Error(err)
		}
	}
	all.Go(ask)
	for began.Load() == 0 { // the first is under way
		runtime.Gosched()
	}
	for range many {
		all.Go(ask)
	}
	s.awaitAsked("x", 1+many)
	close(release)
	all.Wait()
	// What the first began may have missed what the others did before they asked.
	if n := began.Load(); n != 2 {
		t.Errorf("%d syncs, want one for the first and one for all who came meanwhile", n)
	}
	if len(s.running) != 0 {
		t.Error("a directory nobody syncs is remembered")
	}
}

func TestASyncThatFailsIsTriedByEachForItself(t *testing.T) {
	t.Parallel()
	var s syncs
	var tries atomic.Int64
	broken := errors.New("broken")
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if err := s.together("x", func() error { tries.Add(1); return broken }); !errors.Is(err, broken) {
				t.Errorf("got %v: a sync that failed was taken for done", err)
			}
		})
	}
	all.Wait()
	if tries.Load() != 10 {
		t.Errorf("%d tries, want 10", tries.Load())
	}
}
