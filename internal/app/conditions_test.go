package app

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
)

// Nothing is the matter most of the time: then the journal is not asked about
// alerts again before it has changed, and an alert that is over ends all the same.
func TestWhileNothingIsTheMatterTheJournalIsAskedOnlyAfterAChange(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	count := func(op string) error {
		if op == "read open alerts" {
			asked.Add(1)
		}
		return nil
	}
	a := started(t, Seams{Journal: count})
	ctx := t.Context()
	look := func(times int) (asks int64) {
		t.Helper()
		before := asked.Load()
		for range times {
			if err := a.reconcile(ctx); err != nil {
				t.Fatal(err)
			}
		}
		return asked.Load() - before
	}
	if got := a.conditions(a.now()); len(got) != 0 {
		t.Fatalf("at the start: %v", got)
	}
	if n := look(10); n != 1 {
		t.Errorf("asked %d times in ten looks, and nothing has changed", n)
	}
	if err := a.alerts.book.Raise(ctx, alert.Signal{Event: alert.Disk}); err != nil {
		t.Fatal(err)
	}
	if n := look(10); n > 2 || open(ctx, t, a) != 0 {
		t.Errorf("asked %d times, and %d alerts are open of what is over", n, open(ctx, t, a))
	}
}

func open(ctx context.Context, t *testing.T, a *App) int {
	t.Helper()
	all, err := a.journal.OpenAlerts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
