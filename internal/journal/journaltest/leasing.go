package journaltest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var leasing = map[string]func(*fixture){
	"a claim leases and raises the fence": func(f *fixture) {
		u := f.spot("flu_1.csv")
		c := f.mustClaim(u.ID)
		u.Fence = 1
		f.same("claimed", c, u)
		if again, found := f.claim(); found {
			f.Fatalf("claimed %s a second time", again.ID)
		}
		f.must(f.j.Release(f.ctx, c))
		f.same("fence of the next claim", f.mustClaim(u.ID).Fence, int64(2))
	},
	"urgent kinds go first, but for the retried": func(f *fixture) {
		retried := f.spotKind("lis_0.csv", "lis")
		f.record(f.mustClaim(retried.ID), upload.Retry(0, upload.ServerError, ""), false)
		var want []upload.ID
		for i, kind := range []upload.Kind{"flu", "lis", "hdr", "flu", "lis"} {
			f.later(time.Second)
			want = append(want, f.spotKind(fmt.Sprintf("%s_%d.csv", kind, i+1), kind).ID)
		}
		want = []upload.ID{want[1], want[2], want[4], want[0], want[3], retried.ID}
		var got []upload.ID
		for _, most := range []int{2, 2, 9} {
			all, err := f.j.ClaimSome(f.ctx, journal.Claim{
				Channel: upload.Flu, States: upload.OpenStates(), First: []upload.Kind{"lis", "hdr"}, Owner: "one", Lease: time.Minute, Now: f.now,
			}, most)
			f.must(err)
			for _, u := range all {
				got = append(got, u.ID)
			}
		}
		f.same("order", got, want)
	},
	"a claim of some gives them in their order, the fresh before the retried": func(f *fixture) {
		retried := f.spot("flu_0.csv")
		f.record(f.mustClaim(retried.ID), upload.Retry(0, upload.ServerError, ""), false)
		var want []upload.ID
		for i := range 4 {
			f.later(time.Second)
			want = append(want, f.spot(fmt.Sprintf("flu_%d.csv", i+1)).ID)
		}
		want = append(want, retried.ID)
		some := func(most int) (ids []upload.ID) {
			all, err := f.j.ClaimSome(f.ctx, journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "one", Lease: time.Minute, Now: f.now}, most)
			f.must(err)
			for _, u := range all {
				if u.Fence == 0 {
					f.Errorf("%s has no fence", u.Filename)
				}
				ids = append(ids, u.ID)
			}
			return ids
		}
		f.same("the first three", some(3), want[:3])
		f.same("the rest", some(5), want[3:])
		f.same("when none is left", len(some(5)), 0)
	},
	"a claim asks for channel and states": func(f *fixture) {
		f.spot("flu_1.csv")
		for _, c := range []journal.Claim{
			{Channel: upload.HQMS, States: upload.OpenStates()},
			{Channel: upload.Flu, States: []upload.State{upload.StateSettled, upload.StateSent}},
			{Channel: upload.Flu, States: []upload.State{upload.StateFailed}},
			{Channel: upload.Flu},
		} {
			c.Owner, c.Lease, c.Now = "one", time.Minute, f.now
			if _, found, err := f.j.Claim(f.ctx, c); found || err != nil {
				f.Fatalf("claim %v: %v, %v", c, found, err)
			}
		}
	},
	"a lease that ran out is taken over, and the former holder can write nothing": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		f.later(time.Minute - time.Nanosecond)
		if _, found := f.claim(); found {
			f.Fatal("claimed under a running lease")
		}
		f.later(time.Nanosecond)
		heir := f.mustClaim(u.ID)
		for name, write := range map[string]func() error{
			"record": func() error {
				_, err := f.j.Record(f.ctx, u, upload.Sent(upload.Ticket{Token: "x"}, ""), f.now, false)
				return err
			},
			"keep ticket": func() error { return f.j.KeepTicket(f.ctx, u, upload.Ticket{Token: "x"}, f.now) },
			"renew":       func() error { return f.j.Renew(f.ctx, u, f.now.Add(time.Hour)) },
			"release":     func() error { return f.j.Release(f.ctx, u) },
		} {
			if err := write(); !errors.Is(err, journal.ErrLeaseLost) {
				f.Errorf("%s under an old fence: %v, want ErrLeaseLost", name, err)
			}
		}
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		heir.Fence = 0
		f.same("row", got, heir)
	},
	"a renewed lease lasts": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		f.later(50 * time.Second)
		f.must(f.j.Renew(f.ctx, u, f.now.Add(time.Minute)))
		f.later(50 * time.Second)
		if _, found := f.claim(); found {
			f.Fatal("claimed under a renewed lease")
		}
		f.later(10 * time.Second)
		f.mustClaim(u.ID)
	},
	"nothing is recorded without a lease, or from another state": func(f *fixture) {
		claimed := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		stale := claimed
		stale.State = upload.StateSpotted
		if _, err := f.j.Record(f.ctx, stale, upload.Settled(stale.Source), f.now, true); !errors.Is(err, journal.ErrLeaseLost) {
			f.Fatalf("from another state: %v, want ErrLeaseLost", err)
		}
		f.record(claimed, upload.Hold(0, upload.SpoolFull, ""), false)
		if _, err := f.j.Record(f.ctx, claimed, upload.Vanished(), f.now, true); !errors.Is(err, journal.ErrLeaseLost) {
			f.Fatalf("after the lease was given up: %v, want ErrLeaseLost", err)
		}
		gone := claimed
		gone.ID = upload.NewID(f.now)
		if _, err := f.j.Record(f.ctx, gone, upload.Vanished(), f.now, true); !errors.Is(err, journal.ErrLeaseLost) {
			f.Fatalf("of a row that is not there: %v, want ErrLeaseLost", err)
		}
	},
	"an operator takes the lease away": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		after, err := f.j.Act(f.ctx, u.ID, upload.Retried(), f.now)
		f.must(err)
		f.same("fence of what Act gives", after.Fence, int64(0))
		if _, err := f.j.Record(f.ctx, u, upload.Sent(upload.Ticket{Token: "x"}, ""), f.now, true); !errors.Is(err, journal.ErrLeaseLost) {
			f.Fatalf("record after an operator's act: %v, want ErrLeaseLost", err)
		}
		f.same("fence of the next claim", f.mustClaim(u.ID).Fence, u.Fence+2)
		if _, err := f.j.Act(f.ctx, upload.NewID(f.now), upload.Cancelled(), f.now); !errors.Is(err, journal.ErrNotFound) {
			f.Fatalf("act on nothing: %v, want ErrNotFound", err)
		}
		if _, err := f.j.Act(f.ctx, u.ID, upload.AskedAgain(), f.now); !errors.Is(err, upload.ErrIllegalTransition) {
			f.Fatalf("unlawful act: %v, want ErrIllegalTransition", err)
		}
	},
	"leases of a former process are forgotten, its writes refused": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		f.must(f.j.ForgetLeases(f.ctx))
		if _, err := f.j.Record(f.ctx, u, upload.Retry(0, upload.ServerBusy, ""), f.now, true); !errors.Is(err, journal.ErrLeaseLost) {
			f.Fatalf("record under a forgotten lease: %v, want ErrLeaseLost", err)
		}
		f.same("fence of the next claim", f.mustClaim(u.ID).Fence, u.Fence+2)
	},
	"claims go by freshness, then age": func(f *fixture) {
		first := f.bring("flu_1.csv", digest("1"), upload.StateSettled)
		f.later(time.Second)
		second := f.bring("flu_2.csv", digest("2"), upload.StateSettled)
		f.later(time.Second)
		f.spot("flu_3.csv")
		f.spot("flu_4.csv")
		f.record(first, upload.Retry(0, upload.SourceUnreadable, ""), false)
		f.record(second, upload.Hold(30*time.Second, upload.SpoolFull, ""), false)

		f.same("before the held one is due", f.claimAll(), []string{"flu_3.csv", "flu_4.csv", "flu_1.csv"})
		f.later(30 * time.Second)
		f.same("when it is due", f.claimAll(), []string{"flu_2.csv"})
		f.later(30 * time.Second) // all leases of the first round run out; flu_1 is overdue by a minute
		f.same("an overdue one is as good as fresh", f.claimAll(), []string{"flu_1.csv", "flu_3.csv", "flu_4.csv"})
	},
	"the next due moment counts waits and leases": func(f *fixture) {
		due := func(states ...upload.State) string {
			at, found, err := f.j.NextDue(f.ctx, upload.Flu, states)
			f.must(err)
			if !found {
				return "never"
			}
			return at.Sub(f.now).String()
		}
		f.same("of an empty journal", due(upload.OpenStates()...), "never")
		u := f.bring("flu_1.csv", digest("1"), upload.StateSettled)
		f.same("leased", due(upload.OpenStates()...), "1m0s")
		f.record(u, upload.Hold(20*time.Second, upload.SpoolFull, ""), false)
		f.same("held", due(upload.OpenStates()...), "20s")
		f.same("other states", due(upload.StateSpotted), "never")
		f.same("no states", due(), "never")
		f.later(30 * time.Second)
		f.same("overdue", due(upload.StateSettled), "-10s")
	},
	"waiting uploads are woken by id, by name, by reason": func(f *fixture) {
		wait := func(name string, r upload.Reason) upload.Upload {
			return f.record(f.bring(name, digest(name), upload.StateSettled), upload.Retry(time.Hour, r, ""), false)
		}
		one, two := wait("flu_1.csv", upload.SpoolFull), wait("flu_2.csv", upload.ReadOnly)
		wait("flu_3.csv", upload.DiskFull)
		wait("flu_4.csv", upload.ServerBusy)
		f.same("before", f.claimAll(), []string(nil))
		f.must(f.j.Touch(f.ctx, one.ID, f.now))
		f.must(f.j.TouchFile(f.ctx, upload.Flu, two.Filename, f.now))
		f.must(f.j.TouchFile(f.ctx, upload.HQMS, "flu_3.csv", f.now))
		f.same("touched", f.claimAll(), []string{"flu_1.csv", "flu_2.csv"})
		n, err := f.j.WakeRetries(f.ctx, upload.Flu, f.now, upload.DiskFull, upload.ReadOnly)
		f.must(err)
		f.same("woken by reason", n, int64(1))
		f.same("woken", f.claimAll(), []string{"flu_3.csv"})
		n, err = f.j.WakeRetries(f.ctx, upload.Flu, f.now)
		f.must(err)
		f.same("woken at all", n, int64(1))
	},
	"a clock that has gone back stretches no pause": func(f *fixture) {
		early := f.record(f.bring("flu_1.csv", digest("1"), upload.StateSettled), upload.Retry(time.Hour, upload.ServerBusy, ""), false)
		f.later(24 * time.Hour)
		f.record(f.bring("flu_2.csv", digest("2"), upload.StateSettled), upload.Retry(time.Hour, upload.ServerBusy, ""), false)
		f.later(-24*time.Hour + time.Minute)
		n, err := f.j.WakeFuture(f.ctx, upload.Flu, f.now)
		f.must(err)
		f.same("woken", n, int64(1))
		f.same("due now", f.claimAll(), []string{"flu_2.csv"})
		got, err := f.j.Get(f.ctx, early.ID)
		f.must(err)
		f.same("the other's pause", got.NextAttemptAt, early.NextAttemptAt)
	},
	"eight claimers never share an upload": func(f *fixture) {
		const files = 60
		for i := range files {
			f.spot(fmt.Sprintf("flu_%d.csv", i))
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		holders := map[upload.ID]int{}
		for i := range 8 {
			wg.Go(func() {
				for {
					u, found, err := f.j.Claim(f.ctx, journal.Claim{
						Channel: upload.Flu, States: upload.OpenStates(), Owner: fmt.Sprint(i), Lease: time.Minute, Now: f.now,
					})
					if err != nil || !found {
						if err != nil {
							f.Error(err)
						}
						return
					}
					mu.Lock()
					holders[u.ID]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		f.same("uploads claimed", len(holders), files)
		for id, n := range holders {
			if n != 1 {
				f.Errorf("%s was claimed %d times", id, n)
			}
		}
	},
}

func (f *fixture) claimAll() (names []string) {
	for {
		u, found := f.claim()
		if !found {
			return names
		}
		names = append(names, u.Filename)
	}
}
