package journaltest

import (
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// readmitting: rows that another record knows better.
var readmitting = map[string]func(*fixture){
	"a lost upload comes back whole, with its ticket": func(f *fixture) {
		lost := f.lost("flu_1.csv", digest("a"), upload.StatePacked)
		empty, err := f.j.Empty(f.ctx)
		f.must(err)
		f.same("empty before", empty, true)
		f.readmit(1, lost)
		f.same("row", f.get(lost.ID), lost)
		f.same("events", f.events(lost.ID), []string{journal.Rebuilt})
		tickets, err := f.j.EarlierTickets(f.ctx, upload.Flu, digest("a"))
		f.must(err)
		f.same("tickets", len(tickets), 1)
		empty, err = f.j.Empty(f.ctx)
		f.must(err)
		f.same("empty after", empty, false)
		f.readmit(0, lost)
		f.mustClaim(lost.ID)
	},
	"an upload that is ahead is left alone": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSent)
		old := u
		old.State, old.UpdatedAt = upload.StatePacked, u.UpdatedAt.Add(-time.Second)
		f.readmit(0, old)
		f.same("state", f.get(u.ID).State, upload.StateSent)
		f.record(u, upload.Hold(time.Second, upload.ServerWorking, ""), false) // the lease is still held
	},
	"a cancelled upload is not brought back to life": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		cancelled, err := f.j.Act(f.ctx, u.ID, upload.Cancelled(), f.now)
		f.must(err)
		u.Ticket, u.UpdatedAt = upload.Ticket{Token: "late", Fate: upload.Untouched}, f.now.Add(time.Minute)
		f.readmit(0, u)
		f.same("state", f.get(u.ID).State, cancelled.State)
	},
	"an upload that is behind is brought up to a ticket and to a verdict": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		ahead := u
		ahead.Ticket, ahead.UpdatedAt = upload.Ticket{Token: "unheard of", Fate: upload.Untouched}, u.UpdatedAt.Add(time.Second)
		f.readmit(1, ahead)
		f.same("ticket", f.get(u.ID).Ticket.Token, "unheard of")
		if err := f.j.Release(f.ctx, u); err == nil {
			f.Error("a lease outlived the readmission")
		}
		ahead.State, ahead.Verdict, ahead.UpdatedAt = upload.StateDecided, upload.Accepted, ahead.UpdatedAt.Add(time.Second)
		f.readmit(1, ahead)
		f.same("verdict", f.get(u.ID).Verdict, upload.Accepted)
	},
	"a delivered content is not handed on": func(f *fixture) {
		done := f.lost("flu_1.csv", digest("a"), upload.StateRetired)
		again := f.lost("flu_2.csv", digest("a"), upload.StatePacked)
		f.readmit(2, done, again)
		f.same("key of the first", f.get(done.ID).ContentKey, digest("a"))
		f.same("state of the second", f.get(again.ID).State, upload.StateCancelled)
	},
	"of two uploads of a file or a content the later one goes on": func(f *fixture) {
		first := f.lost("flu_1.csv", digest("a"), upload.StatePacked)
		second := f.lost("flu_1.csv", digest("b"), upload.StatePacked)
		third := f.lost("flu_3.csv", digest("b"), upload.StatePacked)
		f.readmit(3, first, second, third)
		f.same("first", f.get(first.ID).State, upload.StateCancelled)
		f.same("key of the first, with the only ticket to ask by", f.get(first.ID).ContentKey, digest("a"))
		f.same("second", f.get(second.ID).State, upload.StateCancelled)
		f.same("key of the third", f.get(third.ID).ContentKey, digest("b"))
	},
	"a copy put back as a file is remembered as long as it may stand there": func(f *fixture) {
		u := f.lost("flu_1.csv", digest("a"), upload.StateRetired)
		u.Place, u.Path = upload.Expired, ""
		f.readmit(1, u)
		_, err := f.j.Act(f.ctx, u.ID, upload.PutBackAsFile(u.Source), f.now)
		f.must(err)
		n, err := f.j.Prune(f.ctx, f.now.Add(time.Hour), 10)
		f.must(err)
		f.same("pruned", n, int64(0))
		s := f.sighting("flu_1.csv")
		s.Seen = u.Source
		s.Seen.ChangeTime += 77
		_, spotting, err := f.j.Spot(f.ctx, s)
		f.must(err)
		f.same("spotting", spotting, upload.Known)
	},
}

func (f *fixture) readmit(want int, all ...upload.Upload) {
	f.Helper()
	n, err := f.j.Readmit(f.ctx, all, f.now)
	f.must(err)
	f.same("rows written", n, want)
}

func (f *fixture) get(id upload.ID) upload.Upload {
	f.Helper()
	u, err := f.j.Get(f.ctx, id)
	f.must(err)
	return u
}

// lost is an upload that only another record knows.
func (f *fixture) lost(name, content string, state upload.State) upload.Upload {
	f.later(time.Millisecond)
	s := f.sighting(name)
	u := upload.Upload{
		ID: upload.NewID(f.now), BatchID: s.BatchID, Channel: s.Channel, Kind: s.Kind, Filename: name, Source: s.Seen,
		Digest: content, ContentKey: content, Rows: 3, Charset: "utf-8", Standard: "flu-2.6", State: state,
		Ticket: upload.Ticket{Token: name, IssuedAt: f.now, Fate: upload.Untouched}, Place: upload.InWatch, Path: name,
		SpottedAt: f.now.UTC(), UpdatedAt: f.now.UTC(), NextAttemptAt: f.now.UTC(),
	}
	if state == upload.StateRetired {
		u.Verdict, u.FinishedAt, u.NextAttemptAt = upload.Accepted, f.now.UTC(), time.Time{}
	}
	u.TraceID, u.RootSpanID = upload.NewTraceID()
	return u
}
