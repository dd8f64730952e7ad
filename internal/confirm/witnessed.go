package confirm

import (
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// witnessed keeps since when this process itself has been told that the server
// does not know a delivery. The grace is measured by that, on the steady clock,
// and not by the wall clock's times in the journal: a clock that jumps ahead
// would turn three quick answers into a long time, and the file would be sent
// again while the first bytes are still on their way. After a restart the grace
// begins anew.
type witnessed struct {
	mu    sync.Mutex
	since map[delivery]time.Time
}

// delivery names one sending.
type delivery struct{ token, url string }

// forgotten bounds how long an entry is kept whose delivery another process has
// followed to its end.
const forgotten = 24 * time.Hour

// lasted is for how long the delivery has been unknown to this process's knowledge.
func (w *witnessed) lasted(t upload.Ticket, now time.Time) time.Duration {
	d := delivery{t.Token, t.URL}
	w.mu.Lock()
	defer w.mu.Unlock()
	since, ok := w.since[d]
	if !ok {
		w.sweep(now)
		w.since[d], since = now, now
	}
	return now.Sub(since)
}

func (w *witnessed) forget(t upload.Ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.since, delivery{t.Token, t.URL})
}

// sweep needs mu.
func (w *witnessed) sweep(now time.Time) {
	for d, since := range w.since {
		if now.Sub(since) > forgotten {
			delete(w.since, d)
		}
	}
}
