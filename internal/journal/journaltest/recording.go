package journaltest

import (
	"errors"
	"fmt"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var recording = map[string]func(*fixture){
	"a detail that is no text is recorded all the same": func(f *fixture) {
		u := f.record(f.bring("flu_1.csv", digest("a"), upload.StateSettled), upload.Hold(0, upload.SourceUnreadable, "a\x00b\xff"), false)
		f.same("detail", u.Detail, "a\ufffdb\ufffd")
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		f.same("row", got, u)
	},
	"the whole way reads back as it was recorded": func(f *fixture) {
		local := time.FixedZone("UTC+8", 8*3600)
		f.now = f.now.In(local)
		u := f.mustClaim(f.spot("flu_1.csv").ID)
		for _, state := range upload.OpenStates() {
			u = f.advance(u, digest("a"), state)
			f.later(time.Second)
			got, err := f.j.Get(f.ctx, u.ID)
			f.must(err)
			f.same("fence kept in "+string(state), u.Fence, int64(1))
			want := u
			want.Fence = 0
			f.same("stored in "+string(state), got, want)
		}
		u = f.advance(u, digest("a"), upload.StateRetired)
		f.same("fence of a finished upload", u.Fence, int64(0))
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		f.same("stored", got, u)
		f.same("receipt's stack", got.Receipt.Stack, "at line 1")
		var steps []string
		events, err := f.j.Events(f.ctx, u.ID)
		f.must(err)
		for _, e := range events {
			steps = append(steps, fmt.Sprintf("%s: %s>%s %s", e.Name, e.From, e.To, e.Verdict))
		}
		f.same("events", steps, []string{
			"spotted: >spotted ", "settled: spotted>settled ", "validated: settled>validated ", "packed: validated>packed ",
			"sent: packed>sent ", "decided: sent>decided accepted", "retired: decided>retired accepted",
		})
	},
	"what cannot be applied leaves no trace": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		before := f.events(u.ID)
		if _, err := f.j.Record(f.ctx, u, upload.Packed(), f.now, true); !errors.Is(err, upload.ErrIllegalTransition) {
			f.Fatalf("illegal outcome: %v, want ErrIllegalTransition", err)
		}
		f.same("events", f.events(u.ID), before)
		f.record(u, upload.Validated(examination(digest("a"))), true) // the lease is still held
	},
	"outcomes recorded together are one change, each with its event": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		x := examination(digest("a"))
		f.later(time.Second)
		after, err := f.j.RecordAll(f.ctx, u, []upload.Outcome{upload.Validated(x), upload.Packed()}, f.now, true)
		f.must(err)
		f.same("state", after.State, upload.StatePacked)
		f.same("fence", after.Fence, u.Fence)
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		want := after
		want.Fence = 0
		f.same("stored", got, want)
		f.same("content", got.ContentKey, x.Digest)
		events, err := f.j.Events(f.ctx, u.ID)
		f.must(err)
		var steps []string
		for _, e := range events[2:] {
			steps = append(steps, fmt.Sprintf("%s: %s>%s %s", e.Name, e.From, e.To, e.At.Sub(f.now)))
		}
		f.same("events", steps, []string{"validated: settled>validated 0s", "packed: validated>packed 0s"})
		found, err := f.j.Findings(f.ctx, u.ID, journal.FindingFilter{})
		f.must(err)
		f.same("findings of the first outcome", len(found), len(x.Findings))
	},
	"of outcomes recorded together none is where one cannot be": func(f *fixture) {
		f.bring("flu_0.csv", digest("a"), upload.StatePacked)
		u := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		x := examination(digest("a"))
		for _, c := range []struct {
			second upload.Outcome
			want   error
		}{
			{upload.Settled(u.Source), upload.ErrIllegalTransition},
			{upload.Packed(), journal.ErrContentTaken},
		} {
			if _, err := f.j.RecordAll(f.ctx, u, []upload.Outcome{upload.Validated(x), c.second}, f.now, true); !errors.Is(err, c.want) {
				f.Fatalf("%s after validated: %v, want %v", c.second.Name(), err, c.want)
			}
			got, err := f.j.Get(f.ctx, u.ID)
			f.must(err)
			f.same("state", got.State, upload.StateSettled)
			f.same("events", f.events(u.ID), []string{"spotted", "settled"})
			found, err := f.j.Findings(f.ctx, u.ID, journal.FindingFilter{})
			f.must(err)
			f.same("findings", len(found), 0)
		}
		f.record(u, upload.Validated(x), true) // the lease is still held
	},
	"what the database refuses leaves no trace": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		x := examination(digest("a"))
		x.Findings = append(x.Findings, upload.Finding{Severity: "dreadful", Rule: "R"})
		if _, err := f.j.Record(f.ctx, u, upload.Validated(x), f.now, true); err == nil {
			f.Fatal("an unlawful finding was recorded")
		}
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		f.same("state", got.State, upload.StateSettled)
		f.same("events", f.events(u.ID), []string{"spotted", "settled"})
	},
	"waiting again for the same reason adds no event": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSpotted)
		wait := func(o upload.Outcome) { u = f.record(u, o, true) }
		seen := u.Source
		for i := range 3 {
			seen.Size += int64(i)
			wait(upload.HoldLooking(time.Second, upload.StillChanging, seen))
		}
		f.same("what the last look saw", u.Source, seen)
		wait(upload.HoldLooking(time.Second, upload.QuietPeriod, seen))
		wait(upload.Retry(time.Second, upload.SourceUnreadable, ""))
		wait(upload.Retry(time.Second, upload.SourceUnreadable, ""))
		f.same("events", f.events(u.ID), []string{"spotted", "hold", "hold", "retry", "retry"})
		u = f.advance(u, digest("a"), upload.StateSent)
		for range 3 {
			wait(upload.Polled(u.Ticket, time.Second, upload.ServerWorking))
		}
		f.same("polls", u.Polls, 3)
		f.same("events", f.events(u.ID), []string{"spotted", "hold", "hold", "retry", "retry", "settled", "validated", "packed", "sent", "polled"})
	},
	"findings are kept in order and replaced as a whole": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		x := examination(digest("a"))
		x.Findings = nil
		for i := range 250 {
			s := []upload.Severity{upload.Warning, upload.Error}[i%2]
			x.Findings = append(x.Findings, upload.Finding{Severity: s, Rule: fmt.Sprint("R", i%5), Row: int64(i + 1), Column: "P1"})
		}
		u = f.record(u, upload.Validated(x), true)
		all, err := f.j.Findings(f.ctx, u.ID, journal.FindingFilter{})
		f.must(err)
		f.same("number", len(all), 250)
		for i, n := range all {
			f.same("finding", n, journal.NumberedFinding{N: int64(i + 1), Finding: x.Findings[i]})
		}
		some, err := f.j.Findings(f.ctx, u.ID, journal.FindingFilter{
			After: 200, Limit: 3, Severities: []upload.Severity{upload.Error}, Rules: []string{"R1", "R3"}, Columns: []string{"P1"},
		})
		f.must(err)
		f.same("filtered", []int64{some[0].N, some[1].N, some[2].N}, []int64{202, 204, 212})

		u = f.record(u, upload.Resettled(upload.SourceChanged), true)
		u = f.record(u, upload.Validated(examination(digest("b"))), true)
		all, err = f.j.Findings(f.ctx, u.ID, journal.FindingFilter{})
		f.must(err)
		want := examination("").Findings
		f.same("replaced", all, []journal.NumberedFinding{{N: 1, Finding: want[0]}, {N: 2, Finding: want[1]}})
		u = f.record(u, upload.Resettled(upload.SourceChanged), true)
		u = f.record(u, upload.Validated(upload.Examination{Digest: digest("c")}), true)
		all, err = f.j.Findings(f.ctx, u.ID, journal.FindingFilter{})
		f.must(err)
		f.same("none found", len(all), 0)
	},
	"findings of a comparison come on top, whoever holds the upload": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		u = f.record(u, upload.Validated(examination(digest("a"))), true)
		had := examination("").Findings
		more := make([]upload.Finding, 1200)
		for i := range more {
			more[i] = upload.Finding{Severity: upload.Warning, Rule: "LINK", Row: int64(i + 2), Column: "P1"}
		}
		f.must(f.j.AddFindings(f.ctx, u.ID, more, f.now))
		all, err := f.j.Findings(f.ctx, u.ID, journal.FindingFilter{})
		f.must(err)
		f.same("kept in all", len(all), 1000)
		f.same("first of them", all[len(had)], journal.NumberedFinding{N: int64(len(had) + 1), Finding: more[0]})
		packed := f.record(u, upload.Packed(), true) // the holder's lease is as it was, and its copy writes nothing back
		f.same("counted", packed.Findings.Warning, examination("").Tally.Warning+1200)
		f.same("events", f.events(u.ID), []string{"spotted", "settled", "validated", "compared", "packed"})
		if err := f.j.AddFindings(f.ctx, "01890000-0000-7000-8000-000000000000", more, f.now); !errors.Is(err, journal.ErrNotFound) {
			f.Fatalf("findings of nothing: %v, want ErrNotFound", err)
		}
	},
	"a ticket is durable before anything is sent under it": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		kept := upload.Ticket{Token: "t1", URL: "u1", Offset: 5, IssuedAt: f.now, Fate: upload.Untouched, Unknowns: 2, UnknownSince: f.now}
		f.must(f.j.KeepTicket(f.ctx, u, kept, f.now))
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		f.same("ticket", got.Ticket, kept)
		// The stage's copy does not know of the ticket: it stays all the same.
		u = f.record(u, upload.Retry(0, upload.ServerBusy, ""), true)
		f.same("ticket after a retry", u.Ticket, kept)
		kept.Offset = 9
		f.must(f.j.KeepTicket(f.ctx, u, kept, f.now))
		kept.Fate = upload.Maybe
		u = f.record(u, upload.Sent(kept, upload.AnswerLost), true)
		u = f.record(u, upload.Unarrived(0), true)
		second := upload.Ticket{Token: "t2", IssuedAt: f.now.Add(time.Second), Fate: upload.Untouched}
		f.must(f.j.KeepTicket(f.ctx, u, second, f.now))
		history, err := f.j.EarlierTickets(f.ctx, upload.Flu, digest("a"))
		f.must(err)
		kept.Unknowns, kept.UnknownSince = 0, time.Time{}
		f.same("history", history, []upload.Ticket{second, kept})
	},
	"what is sent under a ticket is kept with it": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		made := u
		made.PackedSize, made.PackedDigest = 100, ""
		ticket := upload.Ticket{Token: "t1", IssuedAt: f.now, Fate: upload.Untouched}
		f.must(f.j.KeepTicket(f.ctx, made, ticket, f.now))
		got, err := f.j.Get(f.ctx, u.ID)
		f.must(err)
		f.same("size and digest while it is made", []any{got.PackedSize, got.PackedDigest}, []any{int64(100), ""})
		ticket.Fate = upload.Broken
		u = f.record(u, upload.BrokenOff(ticket, 0, upload.UploadBroken, "").As(u.PackedSize, u.PackedDigest), true)
		f.same("size and digest of what waits", []any{u.PackedSize, u.PackedDigest}, []any{int64(200), "sha-256:packed"})
		ticket.Fate = upload.Answered
		u = f.record(u, upload.Sent(ticket, "").As(100, "sha-256:made"), true)
		f.same("size and digest of what was sent", []any{u.PackedSize, u.PackedDigest}, []any{int64(100), "sha-256:made"})
	},
	"of an upload that is not there nothing can be read": func(f *fixture) {
		id := upload.NewID(f.now)
		if _, err := f.j.Get(f.ctx, id); !errors.Is(err, journal.ErrNotFound) {
			f.Fatalf("get: %v, want ErrNotFound", err)
		}
		live, err := f.j.Live(f.ctx, id)
		f.must(err)
		f.same("live", live, false)
		f.same("events", f.events(id), []string(nil))
	},
	"open and failed uploads are live": func(f *fixture) {
		live := func(u upload.Upload) bool {
			alive, err := f.j.Live(f.ctx, u.ID)
			f.must(err)
			return alive
		}
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		f.same("packed", live(u), true)
		u = f.record(u, upload.Failed(upload.UploadRefused, ""), false)
		f.same("failed", live(u), true)
		_, err := f.j.Act(f.ctx, u.ID, upload.Cancelled(), f.now)
		f.must(err)
		f.same("cancelled", live(u), false)
	},
}

func (f *fixture) events(id upload.ID) (names []string) {
	f.Helper()
	events, err := f.j.Events(f.ctx, id)
	f.must(err)
	for _, e := range events {
		names = append(names, e.Name)
	}
	return names
}
