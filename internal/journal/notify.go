package journal

import (
	"context"
	"sync"
)

// watchers wakes those who want to know that something changed.
type watchers struct {
	mu   sync.Mutex
	subs map[chan struct{}]bool // whether others' changes alone are asked for
}

// Subscribe gives a channel that receives after changes: those made through this
// Journal, and those of other processes where it is shared. It does so at least
// once after the last of them, not once for each. The channel is closed when ctx
// ends. A reader asks for events after the last one it saw, and then waits.
func (w *watchers) Subscribe(ctx context.Context) <-chan struct{} { return w.subscribe(ctx, false) }

// SubscribeOthers is Subscribe for the changes of other processes alone.
func (w *watchers) SubscribeOthers(ctx context.Context) <-chan struct{} {
	return w.subscribe(ctx, true)
}

func (w *watchers) subscribe(ctx context.Context, others bool) <-chan struct{} {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	if w.subs == nil {
		w.subs = map[chan struct{}]bool{}
	}
	w.subs[c] = others
	w.mu.Unlock()
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subs, c)
		close(c)
	})
	return c
}

// notify tells of a change of our own.
func (w *watchers) notify() { w.tell(false) }

// tell wakes subscribers; others says that the change was not ours.
func (w *watchers) tell(others bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c, onlyOthers := range w.subs {
		if onlyOthers && !others {
			continue
		}
		select {
		case c <- struct{}{}:
		default: // it has not yet read the last wake: that one serves
		}
	}
}
