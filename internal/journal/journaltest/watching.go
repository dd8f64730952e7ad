package journaltest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var watching = map[string]func(*fixture){
	"subscribers are woken after changes": func(f *fixture) {
		changes := f.j.Subscribe(f.ctx)
		woken := func() bool {
			select {
			case <-changes:
				return true
			default:
				return false
			}
		}
		asleep := func(what string) {
			f.Helper()
			if got := woken(); !f.j.Shared() { // else, of what happened before it could listen, it may tell at any time
				f.same(what, got, false)
			}
		}
		asleep("before any")
		u := f.spot("flu_1.csv")
		f.same("after a sighting", woken(), true)
		asleep("once")
		_, _, err := f.j.Spot(f.ctx, f.sighting("flu_1.csv"))
		f.must(err)
		asleep("after a sighting of what is known")
		c := f.mustClaim(u.ID)
		f.record(c, upload.Settled(c.Source), true)
		f.record(upload.Upload{ID: c.ID, State: upload.StateSettled, Fence: c.Fence}, upload.Hold(time.Hour, upload.SpoolFull, ""), false)
		f.same("after two outcomes", woken(), true)
		asleep("once for both")
		f.must(f.j.Touch(f.ctx, u.ID, f.now))
		f.same("after a touch", woken(), true)
		f.must(f.j.SaveChannel(f.ctx, journal.ChannelRecord{Channel: upload.Flu, State: "ready"}))
		f.same("after a channel's change", woken(), true)
	},
	"a subscription ends with its context": func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		changes := f.j.Subscribe(ctx)
		cancel()
		for range changes { // ends when it is closed
		}
		f.spot("flu_1.csv")
	},
	"a cancelled context changes nothing": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		if _, err := f.j.Record(ctx, u, upload.Validated(examination(digest("a"))), f.now, true); !errors.Is(err, context.Canceled) {
			f.Fatalf("record: %v, want context.Canceled", err)
		}
		f.record(u, upload.Validated(examination(digest("a"))), true)
	},
}

// runHooks lets the hook fail every operation in turn, and sees that each names
// itself, returns the hook's error and does nothing.
func runHooks(t *testing.T, open Open) {
	refused := errors.New("refused by the test")
	var refuse atomic.Bool
	seen := make(chan string, 100)
	j := open(t, journal.Options{Hook: func(op string) error {
		if !refuse.Load() {
			return nil
		}
		seen <- op
		return refused
	}})
	f := &fixture{TB: t, ctx: t.Context(), j: j, now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
	before := f.events(u.ID)
	refuse.Store(true)
	for name, call := range operations(f, u) {
		err := call()
		if !errors.Is(err, refused) {
			t.Errorf("%s: %v, want the hook's error", name, err)
			continue
		}
		if op := <-seen; op != name {
			t.Errorf("operation %q told the hook %q", name, op)
		}
	}
	refuse.Store(false)
	f.same("events", f.events(u.ID), before)
}

func operations(f *fixture, u upload.Upload) map[string]func() error {
	ctx, j, now := f.ctx, f.j, f.now
	return map[string]func() error{
		"spot":                   func() error { _, _, err := j.Spot(ctx, f.sighting("flu_2.csv")); return err },
		"foretell":               func() error { _, _, err := j.Foretell(ctx, f.sighting("flu_2.csv")); return err },
		"latest upload of file":  func() error { _, err := j.Latest(ctx, upload.Flu, "x"); return err },
		"claim":                  func() error { _, _, err := j.Claim(ctx, journal.Claim{}); return err },
		"next due":               func() error { _, _, err := j.NextDue(ctx, upload.Flu, nil); return err },
		"record retry":           func() error { _, err := j.Record(ctx, u, upload.Retry(0, "", ""), now, true); return err },
		"act cancelled":          func() error { _, err := j.Act(ctx, u.ID, upload.Cancelled(), now); return err },
		"keep ticket":            func() error { return j.KeepTicket(ctx, u, upload.Ticket{Token: "x"}, now) },
		"renew":                  func() error { return j.Renew(ctx, u, now) },
		"release":                func() error { return j.Release(ctx, u) },
		"touch":                  func() error { return j.Touch(ctx, u.ID, now) },
		"touch file":             func() error { return j.TouchFile(ctx, upload.Flu, "x", now) },
		"wake retries":           func() error { _, err := j.WakeRetries(ctx, upload.Flu, now); return err },
		"find holder of content": func() error { _, _, err := j.Holder(ctx, upload.Flu, "x", ""); return err },
		"read earlier tickets":   func() error { _, err := j.EarlierTickets(ctx, upload.Flu, "x"); return err },
		"read upload":            func() error { _, err := j.Get(ctx, u.ID); return err },
		"list uploads":           func() error { _, err := j.List(ctx, journal.Filter{}, "", 0); return err },
		"read events":            func() error { _, err := j.Events(ctx, u.ID); return err },
		"read events after":      func() error { _, err := j.EventsAfter(ctx, 0, 1); return err },
		"read last event":        func() error { _, err := j.LastEvent(ctx); return err },
		"read findings":          func() error { _, err := j.Findings(ctx, u.ID, journal.FindingFilter{}); return err },
		"count backlog":          func() error { _, err := j.Backlog(ctx); return err },
		"read last accepted":     func() error { _, err := j.LastAccepted(ctx); return err },
		"read channel":           func() error { _, err := j.Channel(ctx, upload.Flu); return err },
		"save channel":           func() error { return j.SaveChannel(ctx, journal.ChannelRecord{Channel: upload.Flu}) },
		"forget leases":          func() error { return j.ForgetLeases(ctx) },
		"prune":                  func() error { _, err := j.Prune(ctx, now, 1); return err },
		"read stored":            func() error { _, err := j.Stored(ctx, upload.InArchive, now, "", 1); return err },
		"read meta":              func() error { _, err := j.Meta(ctx, "a"); return err },
		"write meta":             func() error { return j.SetMeta(ctx, "a", "b") },
		"verify journal":         func() error { return j.Verify(ctx) },
		"change alerts":          func() error { return j.ChangeAlerts(ctx, nil) },
		"read open alerts":       func() error { _, err := j.OpenAlerts(ctx); return err },
		"list alerts":            func() error { _, err := j.ListAlerts(ctx, false, "", 0); return err },
		"claim alert":            func() error { _, _, err := j.ClaimAlert(ctx, now, 0, 0); return err },
		"prune alerts":           func() error { _, err := j.PruneAlerts(ctx, now, 1); return err },
		"read alert deliveries":  func() error { _, err := j.AlertDeliveries(ctx, ""); return err },
	}
}
