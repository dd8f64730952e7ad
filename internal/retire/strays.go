package retire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// leftoverAge is how old an unfinished copy must be to be nobody's work any more.
const leftoverAge = time.Hour

// strays looks for files of ours in the watched directories whose upload is not
// under way any more.
func (w *Sweeper) strays(ctx context.Context, now time.Time, done *Swept) error {
	var all error
	for ch, dir := range w.o.Watch {
		for e, err := range dir.List(".") {
			if errors.Is(err, durable.ErrNoDir) {
				break // away for now
			}
			if err == nil && strings.HasPrefix(e.Name, prefix) {
				err = w.stray(ctx, ch, e.Name, now, done)
			}
			if err != nil {
				all = errors.Join(all, fmt.Errorf("sweep the watched directory of %s: %w", ch, err))
			}
		}
	}
	return all
}

func (w *Sweeper) stray(ctx context.Context, ch upload.Channel, name string, now time.Time, done *Swept) error {
	rest := strings.TrimPrefix(name, prefix)
	if id, ok := strings.CutSuffix(rest, asideSuffix); ok {
		return w.aside(ctx, ch, upload.ID(id), done)
	}
	id, ok := strings.CutSuffix(rest, restoreSuffix)
	if !ok {
		id, ok = strings.CutSuffix(rest, restoredSuffix)
	}
	if !ok || !upload.ID(id).Valid() {
		return nil
	}
	seen, err := w.o.Watch[ch].Look(name)
	if err != nil || time.Unix(0, seen.ChangeTime).After(now.Add(-leftoverAge)) {
		return ignoreGone(err)
	}
	done.Leftover++
	return ignoreGone(w.o.Watch[ch].Remove(name))
}

// aside puts an original back whose upload ended while it stood aside: cancelled
// by an operator between a crash and the next run.
func (w *Sweeper) aside(ctx context.Context, ch upload.Channel, id upload.ID, done *Swept) error {
	if !id.Valid() {
		return nil
	}
	u, known, err := w.so.Ledger.Find(ctx, id)
	if err != nil || !known || !u.State.Final() || u.Channel != ch {
		return err // under way, parked, or not ours to judge
	}
	r := retirement{Stage: w.Stage, u: u, watch: w.o.Watch[ch]}
	back, err := r.putBack()
	if err == nil && !back {
		err = r.storeChanged(ctx)
	}
	if err == nil {
		done.PutBack++
	}
	return ignoreGone(err)
}

// tombstones removes the traces of deletions that are recorded by now.
func (w *Sweeper) tombstones(ctx context.Context, done *Swept) error {
	for e, err := range w.o.State.List(deletedDir) {
		if err != nil {
			return ignoreGone(err)
		}
		id := upload.ID(strings.TrimPrefix(e.Name, "."))
		u, known, err := w.so.Ledger.Find(ctx, id)
		if err != nil {
			return fmt.Errorf("find an upload: %w", err)
		}
		if !known || !u.State.Final() {
			continue
		}
		if err := ignoreGone(w.o.State.Remove(deletedDir + "/" + e.Name)); err != nil {
			return durable.Fault(err, "remove the trace of a deletion")
		}
		done.Leftover++
	}
	return nil
}
