package sandbox

import (
	"context"
	"sync"
	"time"
)

// queue holds one channel's deliveries in the order of arrival.
type queue struct {
	mu      sync.Mutex
	waiting []*delivery
	paused  bool
	wake    chan struct{} // holds one token when something changed
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) change(f func()) {
	q.mu.Lock()
	f()
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) push(d *delivery) { q.change(func() { q.waiting = append(q.waiting, d) }) }
func (q *queue) pause(on bool)    { q.change(func() { q.paused = on }) }
func (q *queue) clear()           { q.change(func() { q.waiting = nil }) }

// next waits for the first delivery; false when ctx has ended.
func (q *queue) next(ctx context.Context) (*delivery, bool) {
	for {
		if d := q.pop(); d != nil {
			return d, true
		}
		select {
		case <-ctx.Done():
			return nil, false
		case <-q.wake:
		}
	}
}

func (q *queue) pop() *delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.paused || len(q.waiting) == 0 {
		return nil
	}
	d := q.waiting[0]
	q.waiting = q.waiting[1:]
	return d
}

// pauseFor waits for d, or until ctx ends; it reports whether d went by.
func pauseFor(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
