package durable

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSyncsThatComeTogetherAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s syncs
		var mu sync.Mutex
		var began []time.Time
		sync1 := func() error {
			mu.Lock()
			began = append(began, time.Now())
			mu.Unlock()
			<-time.After(10 * time.Millisecond) // virtual
			return nil
		}
		var all sync.WaitGroup
		ask := func() {
			asked := time.Now()
			if err := s.together("x", sync1); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, at := range began {
				if !at.Before(asked) && !at.Add(10*time.Millisecond).After(time.Now()) {
					return
				}
			}
			t.Error("no sync both began after it was asked for and has ended")
		}
		all.Go(ask)
		<-time.After(5 * time.Millisecond) // virtual: the first is under way
		for range 20 {
			all.Go(ask)
		}
		all.Wait()
		if len(began) != 2 {
			t.Errorf("%d syncs, want one for the first and one for all who came meanwhile", len(began))
		}
		if len(s.running) != 0 {
			t.Error("a directory nobody syncs is remembered")
		}
	})
}

func TestASyncThatFailsIsTriedByEachForItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s syncs
		var all sync.WaitGroup
		broken := errors.New("broken")
		failures := make(chan error, 10)
		for range 10 {
			all.Go(func() {
				failures <- s.together("x", func() error { <-time.After(time.Millisecond); return broken }) // virtual
			})
		}
		all.Wait()
		close(failures)
		for err := range failures {
			if !errors.Is(err, broken) {
				t.Errorf("got %v: a sync that failed was taken for done", err)
			}
		}
	})
}
