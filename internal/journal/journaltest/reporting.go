package journaltest

import (
	"errors"
	"fmt"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// accounts reads what the filter selects.
func (f *fixture) accounts(filter journal.Filter) (all []journal.Account) {
	f.Helper()
	f.must(f.j.Accounts(f.ctx, filter, func(a journal.Account) error {
		all = append(all, a)
		return nil
	}))
	return all
}

var reporting = map[string]func(*fixture){
	"an account is the upload in short": func(f *fixture) {
		u := f.bring("flu_1.csv", digest("a"), upload.StateRetired)
		f.later(time.Second)
		next := f.spot("flu_1.csv")
		f.later(time.Second)
		all := f.accounts(journal.Filter{})
		for i := range all {
			all[i].Seq = 0 // the database's matter
		}
		f.same("accounts", all, []journal.Account{
			{
				ID: u.ID, Channel: upload.Flu, Kind: "flu", Filename: "flu_1.csv", Digest: digest("a"), Rows: 12, SourceSize: 1000, PackedSize: 200,
				State: upload.StateRetired, Verdict: upload.Accepted, Holds: true, Receipt: u.Receipt,
				SpottedAt: u.SpottedAt, SentAt: u.SentAt, UpdatedAt: u.UpdatedAt, Successor: next.ID,
			},
			{
				ID: next.ID, Channel: upload.Flu, Kind: "flu", Filename: "flu_1.csv", SourceSize: 1000, State: upload.StateSpotted,
				SpottedAt: next.SpottedAt, UpdatedAt: next.UpdatedAt,
			},
		})
	},
	"accounts come in the order of spotting, as far as wanted": func(f *fixture) {
		from := f.now.Add(2 * time.Second)
		for i := range 6 {
			f.spot(fmt.Sprintf("flu_%d.csv", i))
			f.later(time.Second)
		}
		var names []string
		for _, a := range f.accounts(journal.Filter{Channels: []upload.Channel{upload.Flu}, Kinds: []upload.Kind{"flu"}, SpottedFrom: from, SpottedTo: from.Add(3 * time.Second)}) {
			names = append(names, a.Filename)
		}
		f.same("names", names, []string{"flu_2.csv", "flu_3.csv", "flu_4.csv"})
		f.same("of another kind", len(f.accounts(journal.Filter{Kinds: []upload.Kind{"lis"}})), 0)
		enough, n := errors.New("enough"), 0
		err := f.j.Accounts(f.ctx, journal.Filter{}, func(journal.Account) error { n++; return enough })
		if !errors.Is(err, enough) || n != 1 {
			f.Errorf("after %d: %v", n, err)
		}
	},
	"accounts of files that were spotted at once have places of their own": func(f *fixture) {
		for i := range 6 {
			f.spot(fmt.Sprintf("flu_%d.csv", i))
		}
		all := f.accounts(journal.Filter{})
		f.same("accounts", len(all), 6)
		for i := range len(all) - 1 {
			if !all[i].SpottedAt.Equal(all[i+1].SpottedAt) || all[i].Position().Compare(all[i+1].Position()) >= 0 {
				f.Errorf("%+v comes before %+v", all[i], all[i+1])
			}
		}
	},
	"days are counted by channel, kind and verdict": func(f *fixture) {
		begins := f.now
		f.bring("flu_1.csv", digest("a"), upload.StateRetired)
		f.bring("flu_2.csv", digest("b"), upload.StateRetired)
		f.record(f.bring("flu_3.csv", digest("c"), upload.StateSettled), upload.HeldBack(examination(digest("c"))), false)
		f.record(f.bring("flu_0.csv", digest("d"), upload.StateSpotted), upload.Vanished(), false)
		f.later(24*time.Hour - 1) // still the first day
		f.spot("flu_4.csv")
		f.later(1)
		f.spot("flu_5.csv")
		f.later(24 * time.Hour) // on no day asked for
		f.spot("flu_6.csv")
		days := []journal.Span{{Begins: begins.Add(-24 * time.Hour), Ends: begins}, {Begins: begins, Ends: begins.Add(24 * time.Hour)}, {Begins: begins.Add(24 * time.Hour), Ends: begins.Add(48 * time.Hour)}}
		got, err := f.j.CountDays(f.ctx, "", days)
		f.must(err)
		want := []journal.DayCount{
			{Day: 1, Channel: upload.Flu, Kind: "flu", Files: 2, Ended: 1, SourceBytes: 2000},
			{Day: 1, Channel: upload.Flu, Kind: "flu", Verdict: upload.Accepted, Files: 2, Rows: 24, SourceBytes: 2000, PackedBytes: 400, PackedFrom: 2000},
			{Day: 1, Channel: upload.Flu, Kind: "flu", Verdict: upload.Invalid, Files: 1, Rows: 12, SourceBytes: 1000, PackedBytes: got[2].PackedBytes, PackedFrom: got[2].PackedFrom},
			{Day: 2, Channel: upload.Flu, Kind: "flu", Files: 1, SourceBytes: 1000},
		}
		f.same("counts", got, want)
		got, err = f.j.CountDays(f.ctx, upload.HQMS, days)
		f.must(err)
		f.same("of another channel", len(got), 0)
		year := make([]journal.Span, 401)
		for i := range year {
			year[i] = journal.Span{Begins: begins.AddDate(0, 0, i-400), Ends: begins.AddDate(0, 0, i-399)}
		}
		got, err = f.j.CountDays(f.ctx, upload.Flu, year)
		f.must(err)
		f.same("of 401 days", len(got), 3)
	},
	"stages are timed from change to change": func(f *fixture) {
		span := journal.Span{Begins: f.now, Ends: f.now.Add(time.Hour)}
		for i := range 3 {
			u := f.bring(fmt.Sprintf("flu_%d.csv", i), digest(fmt.Sprint(i)), upload.StateSpotted)
			for _, to := range []upload.State{upload.StateSettled, upload.StateValidated, upload.StatePacked, upload.StateSent, upload.StateDecided, upload.StateRetired} {
				f.later(time.Duration(3-i) * time.Second)
				u = f.advance(u, digest(fmt.Sprint(i)), to)
			}
		}
		got, err := f.j.TimeStages(f.ctx, upload.Flu, span)
		f.must(err)
		took := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}
		f.same("times", got, []journal.StageTime{
			{Stage: "confirm", Took: took},
			{Stage: "pack", Took: took},
			{Stage: "retire", Took: took},
			{Stage: "settle", Took: took},
			{Stage: "transmit", Took: took},
			{Stage: "validate", Took: took},
		})
		got, err = f.j.TimeStages(f.ctx, "", journal.Span{Begins: span.Ends, Ends: span.Ends.Add(time.Hour)})
		f.must(err)
		f.same("of another span", len(got), 0)
	},
	"what was held by a pause is timed apart from sending": func(f *fixture) {
		span := journal.Span{Begins: f.now, Ends: f.now.Add(time.Hour)}
		u := f.bring("flu_1.csv", digest("a"), upload.StatePacked)
		f.later(time.Second)
		u = f.record(u, upload.Hold(time.Minute, upload.ChannelPaused, ""), true)
		f.later(2 * time.Minute)
		u = f.advance(u, digest("a"), upload.StateSent)
		f.later(time.Second)
		f.advance(u, digest("a"), upload.StateDecided)
		u = f.bring("flu_2.csv", digest("b"), upload.StatePacked)
		f.later(3 * time.Second)
		f.advance(u, digest("b"), upload.StateSent)
		got, err := f.j.TimeStages(f.ctx, upload.Flu, span)
		f.must(err)
		took := map[string][]time.Duration{}
		for _, t := range got {
			took[t.Stage] = t.Took
		}
		f.same("held", took[journal.Held], []time.Duration{2*time.Minute + time.Second})
		f.same("transmit", took["transmit"], []time.Duration{3 * time.Second})
		f.same("confirm", took["confirm"], []time.Duration{time.Second})
	},
	"rules are counted, the most broken first": func(f *fixture) {
		span := journal.Span{Begins: f.now, Ends: f.now.Add(time.Hour)}
		f.bring("flu_1.csv", digest("a"), upload.StateValidated)
		x := examination(digest("b"))
		x.Findings = append(x.Findings, x.Findings[0], x.Findings[0])
		f.later(time.Second)
		u := f.bring("flu_2.csv", digest("b"), upload.StateSettled)
		f.record(u, upload.HeldBack(x), false)
		got, err := f.j.CountRules(f.ctx, upload.Flu, span)
		f.must(err)
		f.same("rules", got, []journal.RuleTally{
			{Rule: "COL-REQUIRED", Severity: upload.Error, Count: 4, Files: 2},
			{Rule: "FILE-HEADER", Severity: upload.Warning, Count: 2, Files: 2},
		})
		got, err = f.j.CountRules(f.ctx, upload.HQMS, span)
		f.must(err)
		f.same("of another channel", len(got), 0)
	},
}
