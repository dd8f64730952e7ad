package journaltest

import (
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var contents = map[string]func(*fixture){
	"one upload at a time holds a content": func(f *fixture) {
		first := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		second := f.bring("flu_2.csv", digest("a"), upload.StateValidated)
		if _, err := f.j.Record(f.ctx, second, upload.Packed(), f.now, true); !errors.Is(err, journal.ErrContentTaken) {
			f.Fatalf("second holder: %v, want ErrContentTaken", err)
		}
		f.same("events of the second", f.events(second.ID), []string{"spotted", "settled", "validated"})
		holder, found, err := f.j.Holder(f.ctx, upload.Flu, digest("a"), second.ID)
		f.must(err)
		first.Fence = 0
		f.same("found", found, true)
		f.same("holder", holder, first)
		_, found, err = f.j.Holder(f.ctx, upload.Flu, digest("a"), first.ID)
		f.must(err)
		f.same("found besides the holder", found, false)
		_, found, err = f.j.Holder(f.ctx, upload.HQMS, digest("a"), second.ID)
		f.must(err)
		f.same("found on the other channel", found, false)
		f.record(second, upload.Hold(time.Second, upload.SameContentInFlight, ""), false) // the lease is still held
	},
	"content that was rejected may be sent again": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSent)
		f.record(u, upload.Decided(upload.Rejected, upload.RejectedByServer, nil), false)
		f.bring("flu_2.csv", digest("a"), upload.StatePacked)
	},
	"content given up is adopted with its ticket": func(f *fixture) {
		for _, c := range []struct {
			name   string
			giveUp func(u upload.Upload) upload.Upload
		}{
			{"cancelled", func(u upload.Upload) upload.Upload {
				u, err := f.j.Act(f.ctx, u.ID, upload.Cancelled(), f.now)
				f.must(err)
				return u
			}},
			{"failed", func(u upload.Upload) upload.Upload {
				return f.record(u, upload.Failed(upload.UploadRefused, ""), false)
			}},
			{"unresolved", func(u upload.Upload) upload.Upload {
				return f.record(u, upload.Decided(upload.Unresolved, upload.DeadlinePassed, nil), true)
			}},
		} {
			earlier := c.giveUp(f.bring(c.name+"_1.csv", digest(c.name), upload.StateSent))
			f.same("key of the "+c.name, earlier.ContentKey, digest(c.name))
			u := f.bring(c.name+"_2.csv", digest(c.name), upload.StateValidated)
			u = f.record(u, upload.PackedAdopting(earlier), true)
			f.same("key of the adopter", u.ContentKey, digest(c.name))
			f.same("ticket of the adopter", u.Ticket.Token, earlier.Ticket.Token)
			f.same("fate of the adopter's ticket", u.Ticket.Fate, upload.Maybe)
			was, err := f.j.Get(f.ctx, earlier.ID)
			f.must(err)
			f.same("key of the "+c.name+" one", was.ContentKey, "")
			history, err := f.j.EarlierTickets(f.ctx, upload.Flu, digest(c.name))
			f.must(err)
			f.same("tickets", len(history), 1)
			f.same("fate in the history", history[0].Fate, upload.Maybe)
		}
	},
	"a stage that runs while its content is adopted does not take it back": func(f *fixture) {
		retiring := f.record(f.bring("flu_1.csv", digest("a"), upload.StateSent), upload.Decided(upload.Unresolved, upload.DeadlinePassed, nil), true)
		u := f.bring("flu_2.csv", digest("a"), upload.StateValidated)
		f.record(u, upload.PackedAdopting(retiring), true)
		retired := f.record(retiring, upload.Retired(upload.InWatch, "flu_1.csv", ""), false)
		f.same("key", retired.ContentKey, "")
	},
	"content taken up again is not adopted": func(f *fixture) {
		earlier := f.record(f.bring("flu_1.csv", digest("a"), upload.StateSent), upload.Failed(upload.ServerError, ""), false)
		u := f.bring("flu_2.csv", digest("a"), upload.StateValidated)
		_, err := f.j.Act(f.ctx, earlier.ID, upload.Retried(), f.now)
		f.must(err)
		if _, err := f.j.Record(f.ctx, u, upload.PackedAdopting(earlier), f.now, true); !errors.Is(err, journal.ErrContentTaken) {
			f.Fatalf("adopted from an open upload: %v, want ErrContentTaken", err)
		}
		again := f.mustClaim(earlier.ID)
		f.record(again, upload.Decided(upload.Accepted, "", nil), false)
		if _, err := f.j.Record(f.ctx, u, upload.PackedAdopting(earlier), f.now, true); !errors.Is(err, journal.ErrContentTaken) {
			f.Fatalf("adopted from an accepted upload: %v, want ErrContentTaken", err)
		}
	},
	"content that is free meanwhile is not adopted with an old ticket": func(f *fixture) {
		earlier := f.record(f.bring("flu_1.csv", digest("a"), upload.StateSent), upload.Failed(upload.ServerError, ""), false)
		u := f.bring("flu_2.csv", digest("a"), upload.StateValidated)
		_, err := f.j.Act(f.ctx, earlier.ID, upload.Retried(), f.now)
		f.must(err)
		f.record(f.mustClaim(earlier.ID), upload.Decided(upload.Rejected, upload.RejectedByServer, nil), false)
		if _, err := f.j.Record(f.ctx, u, upload.PackedAdopting(earlier), f.now, true); !errors.Is(err, journal.ErrContentTaken) {
			f.Fatalf("adopted what nobody holds: %v, want ErrContentTaken", err)
		}
		f.record(u, upload.Packed(), true) // the next look at the content says so
	},
	"a failed upload whose content was adopted goes back to the content check": func(f *fixture) {
		earlier := f.record(f.bring("flu_1.csv", digest("a"), upload.StatePacked), upload.Failed(upload.UploadRefused, ""), false)
		u := f.bring("flu_2.csv", digest("a"), upload.StateValidated)
		f.record(u, upload.PackedAdopting(earlier), true)
		again, err := f.j.Act(f.ctx, earlier.ID, upload.Retried(), f.now)
		f.must(err)
		f.same("state", again.State, upload.StateValidated)
	},
	"content delivered long ago is not sent again": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateRetired)
		f.later(time.Hour)
		_, err := f.j.Act(f.ctx, u.ID, upload.Relocated(upload.Expired, ""), f.now)
		f.must(err)
		f.later(time.Hour)
		n, err := f.j.Prune(f.ctx, f.now, 10)
		f.must(err)
		f.same("pruned", n, int64(1))
		second := f.bring("flu_2.csv", digest("a"), upload.StateValidated)
		holder, found, err := f.j.Holder(f.ctx, upload.Flu, digest("a"), second.ID)
		f.must(err)
		f.same("found", found, true)
		f.same("holder", holder, upload.Upload{
			ID: u.ID, Channel: upload.Flu, Digest: digest("a"), ContentKey: digest("a"), Verdict: upload.Accepted,
			State: upload.StateRetired, Place: upload.Gone, FinishedAt: f.now.Add(-2 * time.Hour),
		})
		if _, err := f.j.Record(f.ctx, second, upload.Packed(), f.now, true); !errors.Is(err, journal.ErrContentTaken) {
			f.Fatalf("packed what was delivered: %v, want ErrContentTaken", err)
		}
		f.record(second, upload.DeliveredEarlier(holder), false)
	},
}
