package journal

import (
	"context"
	"sync"
)

// watchers wakes those who want to know that something changed.
type watchers struct {
	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

// Subscribe gives a channel that receives after changes made through this
// Journal: at least once after the last of them, not once for each. The channel
// is closed when ctx ends. A reader asks for events after the last one it saw,
// and then waits.
func (w *watchers) Subscribe(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	if w.subs == nil {
		w.subs = map[chan struct{}]struct{}{}
	}
	w.subs[c] = struct{}{}
	w.mu.Unlock()
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subs, c)
		close(c)
	})
	return c
}

func (w *watchers) notify() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.subs {
		select {
		case c <- struct{}{}:
		default: // it has not yet read the last wake: that one serves
		}
	}
}
