package hqms

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// stalled is the cause of a context that the watchdog ended.
type stalled struct {
	what  string
	after time.Duration
}

// Error implements error.
func (s *stalled) Error() string { return fmt.Sprintf("no progress for %s (%s)", s.after, s.what) }

// watchdog ends a request that makes no progress.
type watchdog struct {
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	on    stalled
	last  bool // the last phase has begun: it has a fixed end
}

// watch gives the request's context, and the dog that watches it. The dog is
// put away with stop.
func watch(ctx context.Context, what string, d time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{cancel: cancel, on: stalled{what: what, after: d}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(d, w.bite)
	return ctx, w
}

// expect says that there was progress, and that the next sign of it is due
// within d.
func (w *watchdog) expect(what string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.last {
		w.on = stalled{what: what, after: d}
		w.timer.Reset(d)
	}
}

// expectLast begins the last phase, once: it ends d from now, whatever
// dribbles in meanwhile.
func (w *watchdog) expectLast(what string, d time.Duration) {
	w.expect(what, d)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = true
}

func (w *watchdog) bite() {
	w.mu.Lock()
	on := w.on
	w.mu.Unlock()
	w.cancel(&on)
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = true
	w.timer.Stop()
	w.cancel(context.Canceled)
}
