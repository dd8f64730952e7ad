package app

import (
	"context"
	"log/slog"
	"time"
)

const (
	// clockEvery is how often wall clocks are held against the steady one.
	clockEvery = time.Second
	// leap is from which difference on the wall clock has jumped: it was set, or
	// the machine was asleep.
	leap = 2 * time.Second
)

// watchingClock sees clocks jump, until ctx ends. Times in the journal are wall clock,
// since they must hold over restarts; pauses that a clock set back would stretch are
// ended.
func (a *App) watchingClock(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	w := clockWatch{a: a, last: a.clocks(), stretched: true} // perhaps, by what an earlier run left behind
	for {
		w.act(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := a.clocks()
		w.look(now, now.own.Sub(w.last.own))
	}
}

// clocks are the wall clock and the journal's at one moment. Where the journal is not
// shared they are the same.
type clocks struct{ own, journal time.Time }

func (a *App) clocks() clocks { return clocks{a.now(), a.journal.Now()} }

// clockWatch is what watchingClock has seen.
type clockWatch struct {
	a         *App
	last      clocks
	unsure    bool // the wall clock has jumped: the machine may have been asleep, and the steady clock with it
	stretched bool // the journal's clock has jumped, and may have gone back
}

// look sees what has jumped since the last look, which is that long ago by the steady
// clock.
func (w *clockWatch) look(now clocks, steady time.Duration) {
	if by := jumped(w.last.own, now.own, steady); by.Abs() >= leap {
		w.a.log.Warn("clock jumped", slog.Duration("by", by))
		w.unsure = true
	}
	if jumped(w.last.journal, now.journal, steady).Abs() >= leap {
		w.stretched = true
	}
	w.last = now
}

// act does what is to be done about it; what fails, as the journal may be away, is
// done at the next look.
func (w *clockWatch) act(ctx context.Context) {
	if w.unsure {
		w.unsure = w.a.journal.CompareClocks(ctx) != nil
	}
	if w.stretched {
		w.stretched = !w.a.wakeFuture(ctx)
	}
}

// jumped is by how much a wall clock has moved from one look to the next more than
// the steady clock has.
func jumped(last, now time.Time, steady time.Duration) time.Duration {
	return now.Round(0).Sub(last.Round(0)) - steady
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
	if n, err := a.journal.WakeFutureAlerts(ctx, a.journal.Now()); err != nil {
		done = false
	} else if n > 0 && a.alerts.sender != nil {
		a.alerts.sender.Wake()
	}
	return done
}
