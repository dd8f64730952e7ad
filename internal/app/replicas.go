package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// gathering is how long news of other replicas are gathered before our lanes are
// woken: of a burst, one look at the journal serves for all.
const gathering = 50 * time.Millisecond

const (
	// startPatience is how long the start waits for a shared database that went
	// away in the middle of it; the orchestrator starts us again after that.
	startPatience = time.Minute
	startPause    = 500 * time.Millisecond
)

// throughOutages does a step of the start again and again while the database
// that replicas share is away, for at most startPatience. It must bear repetition.
func (a *App) throughOutages(step func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if !a.journal.Shared() {
			return step(ctx)
		}
		waiting, cancel := context.WithTimeout(ctx, startPatience)
		defer cancel()
		return whilst(ctx, waiting, upload.JournalUnavailable, startPause, step, func(err error) {
			a.log.Warn("database went away during the start; waiting for it", slog.Any("error", err))
		})
	}
}

// errDatabase: the journal that replicas share could not be opened.
var errDatabase = errors.New("DATABASE_URL")

// openPostgres opens the journal that replicas share. Nobody's leases are
// forgotten, and the state directory is not locked: others live there, too.
func (a *App) openPostgres(ctx context.Context) error {
	j, err := postgres.Open(ctx, postgres.Options{
		Options: journal.Options{Hook: a.seams.Journal, Failed: a.trouble.failed},
		Now:     a.now, URL: a.secrets.DatabaseURL, Logger: a.log,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errDatabase, err)
	}
	a.journal = j
	a.life.onStop("journal", func(context.Context) error { return j.Close() })
	if _, err := a.state.Look(sqlite.FileName); err == nil {
		a.log.Warn("the SQLite journal in the state directory is not used, since DATABASE_URL is set; what was open in it is spotted anew",
			slog.String("file", sqlite.FileName))
	}
	return nil
}

// untold is how often to look for events that nobody told us of: often where other
// replicas write to the journal, and may die before they tell; hardly ever where
// nobody else can.
func (a *App) untold(often time.Duration) time.Duration {
	if a.journal.Shared() {
		return often
	}
	return 10 * time.Minute
}

// turnOf gives a channel's one right to try credentials that are not proven.
func (a *App) turnOf(ch upload.Channel) func(ctx context.Context) (func(), error) {
	if !a.journal.Shared() {
		return nil
	}
	return func(ctx context.Context) (func(), error) { return a.journal.Turn(ctx, "credentials of "+string(ch)) }
}

// following lets the lanes look for work, and the channels for their standing,
// after other replicas changed something.
func (a *App) following(ctx context.Context) {
	news := a.journal.SubscribeOthers(ctx)
	timer := time.NewTimer(gathering)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case _, open := <-news:
			if !open {
				return
			}
		case <-ctx.Done():
			return
		}
		timer.Reset(gathering)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		for _, l := range a.ordered() {
			if err := l.gate.Load(ctx); err != nil && ctx.Err() == nil {
				a.log.Debug("standing of a channel was not read again", slog.String("channel", string(l.Name)), slog.Any("error", err))
			}
			a.pipeline.Wake(l.Name)
		}
	}
}

// sweepShared sweeps a spool that others use, too: their orphans are nobody
// else's to find while we run.
func (a *App) sweepShared(ctx context.Context) {
	if !a.journal.Shared() {
		return
	}
	if _, err := a.stages.pack.Sweep(ctx, a.livePacked(ctx)); err != nil && ctx.Err() == nil {
		a.log.Warn("spool was not swept of orphans", slog.Any("error", err))
	}
}
