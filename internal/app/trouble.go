package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// probeEvery is how often a journal in trouble is tried again.
	probeEvery = 2 * time.Second
	// rebuildPause is how long after a rebuild another damage is only shown: a
	// disk that breaks journals by the minute needs a person.
	rebuildPause = 10 * time.Minute
	metaProbe    = "probe"
)

// errDamaged ends a run whose journal was found damaged; serve begins another,
// which makes the journal anew.
var errDamaged = errors.New("the journal is damaged and has to be made anew")

// trouble is what is the matter with the journal at the moment.
type trouble struct {
	mu      sync.Mutex
	fault   *upload.Fault // nil: nothing
	damaged chan struct{} // closed at the first damage
	broken  bool
}

func newTrouble() *trouble { return &trouble{damaged: make(chan struct{})} }

// failed follows the journal's failures; it is called by the journal.
func (t *trouble) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if errors.Is(err, journal.ErrDamaged) {
		t.fault = upload.LocalFaultOf(upload.JournalUnavailable, "the journal is damaged", err)
		if !t.broken {
			t.broken = true
			close(t.damaged)
		}
		return
	}
	if f, ok := errors.AsType[*upload.Fault](err); ok && !t.broken {
		t.fault = f
	}
}

// now is what is the matter; nil: nothing.
func (t *trouble) now() *upload.Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fault
}

// over says that the journal can be written again.
func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.broken {
		t.fault = nil
	}
}

// probing tries a journal in trouble until it can be written again, and looks
// after damage until ctx ends.
func (a *App) probing(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	damaged := a.trouble.damaged
	for {
		select {
		case <-ctx.Done():
			return
		case <-damaged:
			damaged = nil
			a.suspect()
		case <-tick.C:
			if a.trouble.now() == nil {
				continue
			}
			if err := a.journal.SetMeta(ctx, metaProbe, a.now().UTC().Format(time.RFC3339)); err == nil {
				a.trouble.over()
				a.log.Info("journal can be written again")
			}
		}
	}
}

// suspect marks the journal as damaged for the next start.
func (a *App) suspect() {
	a.log.Error("JOURNAL IS DAMAGED: nothing is taken any more until it is made anew", slog.Any("error", a.trouble.now()))
	if a.recovery == nil {
		return
	}
	if err := a.state.WriteFile("."+suspectName, suspectName, nil); err != nil {
		a.log.Error("damaged journal could not be marked", slog.Any("error", err))
	}
}

// beyondRepair is closed when the journal must be made anew by another run; not
// before some time has passed since that was done last, and never where it is not ours
// to do, or ctx has ended.
func (a *App) beyondRepair(ctx context.Context) <-chan struct{} {
	if a.recovery == nil {
		return nil
	}
	at, _ := a.rebuiltAt(ctx)
	pause := min(rebuildPause-a.now().Sub(at), rebuildPause) // the clock may have been set back since
	return a.trouble.damagedAfter(ctx, pause)
}

// damagedAfter is closed at the first damage, but not before so long has passed, and
// not after ctx has ended.
func (t *trouble) damagedAfter(ctx context.Context, pause time.Duration) <-chan struct{} {
	if pause <= 0 {
		return t.damaged
	}
	damaged := make(chan struct{})
	go func() {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		select {
		case <-t.damaged:
			close(damaged)
		case <-ctx.Done():
		}
	}()
	return damaged
}

// verdicts remembers which verdict of an upload is kept elsewhere.
type verdicts struct {
	mu  sync.Mutex
	ids map[upload.ID]upload.Verdict
}

func (v *verdicts) has(u upload.Upload) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	is, ok := v.ids[u.ID]
	return ok && is == u.Verdict
}

func (v *verdicts) add(u upload.Upload) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ids == nil {
		v.ids = map[upload.ID]upload.Verdict{}
	}
	v.ids[u.ID] = u.Verdict
}

func (v *verdicts) drop(id upload.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.ids, id)
}

// fences keeps, by upload, under which fence something happened.
type fences struct {
	mu  sync.Mutex
	ids map[upload.ID]int64
}

func (f *fences) note(u upload.Upload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ids == nil {
		f.ids = map[upload.ID]int64{}
	}
	f.ids[u.ID] = u.Fence
}

// take gives the fence, 0 if none is kept, and forgets it.
func (f *fences) take(id upload.ID) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	fence := f.ids[id]
	delete(f.ids, id)
	return fence
}
