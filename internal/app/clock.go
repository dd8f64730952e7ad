package app

import (
	"context"
	"log/slog"
	"time"
)

const (
	// clockEvery is how often the wall clock is held against the steady one.
	clockEvery = time.Second
	// leap is from which difference on the wall clock has jumped: it was set, or
	// the machine was asleep.
	leap = 2 * time.Second
)

// watchingClock sees the wall clock jump, until ctx ends. Times in the journal
// are wall clock, since they must hold over restarts; pauses that a clock set
// back would stretch are ended.
func (a *App) watchingClock(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	stretched := true // perhaps, by what an earlier run left behind
	for last := a.now(); ; {
		if stretched {
			stretched = !a.wakeFuture(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := a.now()
		if by := jumped(last, now); by.Abs() >= leap {
			a.log.Warn("clock jumped", slog.Duration("by", by))
			stretched = true
		}
		last = now
	}
}

// jumped is by how much the wall clock has moved from one look to the next more
// than the steady clock that the looks carry.
func jumped(last, now time.Time) time.Duration {
	return now.Round(0).Sub(last.Round(0)) - now.Sub(last)
}

// wakeFuture makes due what waits by a clock that has gone back, and reports
// whether it could.
func (a *App) wakeFuture(ctx context.Context) bool {
	done := true
	for _, l := range a.ordered() {
		n, err := a.journal.WakeFuture(ctx, l.Name, a.journal.Now())
		switch {
		case err != nil:
			done = false // the journal's trouble is told of elsewhere
		case n > 0:
			a.log.Info("clock went back: uploads that waited by it are due now", slog.String("channel", string(l.Name)), slog.Int64("uploads", n))
			a.pipeline.Wake(l.Name)
		}
	}
	return done
}
