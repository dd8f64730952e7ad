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

// watchdog ends a request that makes no progress. Progress is a connection that
// is ready, a piece of the body taken, the body sent whole; what dribbles in of
// an answer is none, so that an answer has a fixed time once the body is out.
type watchdog struct {
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	on    stalled
	away  bool
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
	if !w.away {
		w.on = stalled{what: what, after: d}
		w.timer.Reset(d)
	}
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
	w.away = true
	w.timer.Stop()
	w.cancel(context.Canceled)
}
