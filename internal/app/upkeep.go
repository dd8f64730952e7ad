package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/retire"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// sweepEvery is how often retention is looked after.
	sweepEvery = time.Hour
	// pruneSlice bounds how many rows are removed at a time, so that nobody
	// waits long for the journal's writer.
	pruneSlice = 500
)

// runUpkeep starts what goes on beside the uploads.
func (a *App) runUpkeep(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() {
		err := a.secrets.Run(ctx, secretsEvery, a.reread, func(variables []string) {
			a.log.Info("secrets changed", slog.Any("variables", variables))
			for _, l := range a.ordered() {
				l.gate.Recheck(ctx)
				a.pipeline.Wake(l.Name)
			}
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("secrets are no longer followed", slog.Any("error", err))
		}
	})
	wg.Go(func() { a.sweeping(ctx) })
	wg.Go(func() { a.following(ctx) })
	wg.Go(func() { a.probing(ctx) })
	wg.Go(func() { a.lookingAtDirectories(ctx) })
	wg.Go(func() { a.comparing(ctx) })
	wg.Go(func() { a.watchingClock(ctx) })
	wg.Go(func() { resting(ctx, a.moved.Load, func(again bool) { a.giveBack(ctx, again) }) })
	wg.Go(func() { a.keepingLinks(ctx) })
	wg.Go(func() { a.expecting(ctx) })
	a.runAlerts(ctx, wg)
}

// sweeping looks after retention until ctx ends.
func (a *App) sweeping(ctx context.Context) {
	sweeper := retire.NewSweeper(retire.SweepOptions{
		Stage: a.stages.retire, Ledger: shelves{a.journal},
		ArchiveRetention: a.cfg.ArchiveRetention, QuarantineRetention: a.cfg.QuarantineRetention,
	})
	var compacted time.Time
	for {
		if swept, err := sweeper.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("retention sweep is not complete, will try again", slog.Any("error", err))
		} else if swept != (retire.Swept{}) {
			a.log.Info("retention swept", slog.Int("expired", swept.Expired), slog.Int("put_back", swept.PutBack), slog.Int("leftover", swept.Leftover))
		}
		a.prune(ctx)
		if _, err := a.journal.PruneAlerts(ctx, a.journal.Now().Add(-a.cfg.JournalRetention), pruneSlice); err != nil && ctx.Err() == nil {
			a.log.Warn("alerts were not pruned, will try again", slog.Any("error", err))
		}
		a.sweepShared(ctx)
		compacted = a.compactRecovery(ctx, compacted)
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
	}
}

// prune forgets old finished uploads, in slices.
func (a *App) prune(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := a.journal.Prune(ctx, a.journal.Now().Add(-a.cfg.JournalRetention), pruneSlice)
		if err != nil {
			a.log.Warn("journal was not pruned, will try again", slog.Any("error", err))
			return
		}
		if n < pruneSlice {
			return
		}
	}
}

// livePacked tells which packed copies are still needed. When in doubt, all.
func (a *App) livePacked(ctx context.Context) func(id upload.ID) bool {
	return func(id upload.ID) bool {
		live, err := a.journal.Live(ctx, id)
		return live || err != nil
	}
}

// shelves is the journal as the retention sweep sees it.
type shelves struct{ j *journal.Journal }

var _ retire.Ledger = shelves{}

// PutAway implements retire.Ledger.
func (s shelves) PutAway(ctx context.Context, place upload.Place, before time.Time, after upload.ID, limit int) ([]upload.Upload, error) {
	return s.j.Stored(ctx, place, before, after, limit)
}

// Find implements retire.Ledger.
func (s shelves) Find(ctx context.Context, id upload.ID) (upload.Upload, bool, error) {
	u, err := s.j.Get(ctx, id)
	if errors.Is(err, journal.ErrNotFound) {
		return u, false, nil
	}
	return u, err == nil, err
}

// Relocate implements retire.Ledger.
func (s shelves) Relocate(ctx context.Context, id upload.ID, o upload.Outcome) error {
	_, err := s.j.Act(ctx, id, o, s.j.Now())
	return err
}
