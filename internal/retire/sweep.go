package retire

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// sweepBatch is how many uploads the ledger is asked for at once.
const sweepBatch = 200

// Ledger is what the sweep needs of the journal.
type Ledger interface {
	// PutAway are retired uploads whose original is in place and that finished
	// before a time: at most limit, in the order of their IDs, beginning after one.
	PutAway(ctx context.Context, place upload.Place, before time.Time, after upload.ID, limit int) ([]upload.Upload, error)
	// Find is the upload id, if the journal knows it.
	Find(ctx context.Context, id upload.ID) (upload.Upload, bool, error)
	// Relocate records where the original is now.
	Relocate(ctx context.Context, id upload.ID, o upload.Outcome) error
}

// SweepOptions are what a Sweeper is made of. Retentions of 0 keep for ever.
type SweepOptions struct {
	Stage               *Stage
	Ledger              Ledger
	ArchiveRetention    time.Duration
	QuarantineRetention time.Duration
}

// Sweeper removes originals whose time is over, and puts right what crashed runs
// and cancelled uploads left behind.
type Sweeper struct {
	*Stage
	so SweepOptions
}

// NewSweeper makes a Sweeper.
func NewSweeper(o SweepOptions) *Sweeper { return &Sweeper{Stage: o.Stage, so: o} }

// Swept is what one sweep did.
type Swept struct {
	Expired  int // originals removed for their age
	PutBack  int // originals left aside by cancelled uploads, back in place
	Leftover int // temporary files and traces removed
}

// Sweep looks at everything once. What fails is reported in the error and does
// not keep the rest from being swept; all of it may be repeated.
func (w *Sweeper) Sweep(ctx context.Context) (Swept, error) {
	var done Swept
	now := w.o.Now()
	return done, errors.Join(
		w.expire(ctx, upload.InArchive, now, w.so.ArchiveRetention, &done),
		w.expire(ctx, upload.InQuarantine, now, w.so.QuarantineRetention, &done),
		w.strays(ctx, now, &done),
		w.tombstones(ctx, &done),
	)
}

func (w *Sweeper) expire(ctx context.Context, place upload.Place, now time.Time, age time.Duration, done *Swept) error {
	if age <= 0 {
		return nil
	}
	before, last := now.Add(-age), upload.ID("")
	for {
		batch, err := w.so.Ledger.PutAway(ctx, place, before, last, sweepBatch)
		if err != nil {
			return fmt.Errorf("list what has expired: %w", err)
		}
		for _, u := range batch {
			last = u.ID
			if !expired(u, place, before) {
				continue
			}
			if err := w.expireOne(ctx, u); err != nil {
				return err
			}
			done.Expired++
		}
		if len(batch) < sweepBatch {
			return nil
		}
	}
}

// expired is the guard of the sweep: what the journal says is checked again here,
// and a path that is not exactly where we put things is not touched. Unresolved
// originals, and content that was never sent, may be the only copy: they stay.
func expired(u upload.Upload, place upload.Place, before time.Time) bool {
	return u.State == upload.StateRetired && u.Verdict.Valid() && u.Verdict != upload.Unresolved &&
		u.ID.Valid() && u.Place == place && u.Path == pathOf(place, u) && u.Reason != upload.OriginalChanged &&
		!u.FinishedAt.IsZero() && u.FinishedAt.Before(before)
}

func (w *Sweeper) expireOne(ctx context.Context, u upload.Upload) error {
	err := w.removeFiles([]string{u.Path, path.Join(path.Dir(u.Path), partName)})
	if err == nil {
		err = w.removeResults(u)
	}
	if err == nil {
		err = w.removeEmpty(path.Dir(u.Path))
	}
	if err != nil {
		return durable.Fault(err, "remove what has expired")
	}
	if err := w.so.Ledger.Relocate(ctx, u.ID, upload.Relocated(upload.Expired, "")); err != nil {
		return fmt.Errorf("record what has expired: %w", err)
	}
	return nil
}
