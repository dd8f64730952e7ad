package journaltest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var listing = map[string]func(*fixture){
	"pages hold each upload once, whatever begins meanwhile": func(f *fixture) {
		var want []string
		for i := range 23 {
			if i%3 == 0 { // several at the same moment
				f.later(time.Second)
			}
			want = append(want, f.spot(fmt.Sprintf("flu_%d.csv", i)).Filename)
		}
		slices.Reverse(want)
		var got []string
		cursor := ""
		for page := 0; ; page++ {
			p, err := f.j.List(f.ctx, journal.Filter{}, cursor, 5)
			f.must(err)
			for _, u := range p.Uploads {
				got = append(got, u.Filename)
			}
			if p.Next == "" {
				f.same("pages", page, 4)
				break
			}
			cursor = p.Next
			f.later(time.Second)
			f.spot(fmt.Sprintf("flu_new_%d.csv", page))
		}
		f.same("names", got, want)
	},
	"the last full page is the end": func(f *fixture) {
		f.spot("flu_1.csv")
		f.spot("flu_2.csv")
		p, err := f.j.List(f.ctx, journal.Filter{}, "", 2)
		f.must(err)
		f.same("uploads", len(p.Uploads), 2)
		f.same("next", p.Next, "")
	},
	"a cursor that is not ours is refused": func(f *fixture) {
		for _, c := range []string{"x", "!!!", "MS4x", "MS4xLjIuMw", "MS4xLjIg"} {
			if _, err := f.j.List(f.ctx, journal.Filter{}, c, 5); !errors.Is(err, journal.ErrBadCursor) {
				f.Errorf("cursor %q: %v, want ErrBadCursor", c, err)
			}
		}
	},
	"filters select": func(f *fixture) {
		f.bring("flu_retired.csv", digest("a"), upload.StateRetired)
		f.later(time.Hour)
		held := f.bring("Flu_100%_held.csv", digest("b"), upload.StateSettled)
		f.record(held, upload.HeldBack(examination(digest("b"))), false)
		f.later(time.Hour)
		failed := f.bring("flu_failed.csv", digest("c"), upload.StateSettled)
		f.record(failed, upload.Failed(upload.SourceUnreadable, ""), false)
		s := f.sighting("hqms_1.csv")
		s.Channel, s.Kind = upload.HQMS, "hqms"
		other, _, err := f.j.Spot(f.ctx, s)
		f.must(err)
		for name, c := range map[string]struct {
			filter journal.Filter
			want   []string
		}{
			"channel":      {journal.Filter{Channels: []upload.Channel{upload.HQMS}}, []string{"hqms_1.csv"}},
			"kinds":        {journal.Filter{Kinds: []upload.Kind{"hqms", "hda"}}, []string{"hqms_1.csv"}},
			"final state":  {journal.Filter{States: []upload.State{upload.StateRetired, upload.StateFailed}}, []string{"flu_failed.csv", "flu_retired.csv"}},
			"not finished": {journal.Filter{States: []upload.State{upload.StateSpotted, upload.StateDecided}}, []string{"hqms_1.csv", "Flu_100%_held.csv"}},
			"verdict":      {journal.Filter{Verdicts: []upload.Verdict{upload.Invalid}}, []string{"Flu_100%_held.csv"}},
			"reason":       {journal.Filter{Reasons: []upload.Reason{upload.SourceUnreadable}}, []string{"flu_failed.csv"}},
			"batch":        {journal.Filter{BatchID: other.BatchID}, []string{"hqms_1.csv"}},
			"part of name": {journal.Filter{Filename: "FLU_"}, []string{"flu_failed.csv", "Flu_100%_held.csv", "flu_retired.csv"}},
			"percent":      {journal.Filter{Filename: "100%_"}, []string{"Flu_100%_held.csv"}},
			"underscore":   {journal.Filter{Filename: "u_1"}, []string{"Flu_100%_held.csv"}},
			"backslash":    {journal.Filter{Filename: `\`}, nil},
			"from":         {journal.Filter{SpottedFrom: f.now}, []string{"hqms_1.csv", "flu_failed.csv"}},
			"to, excluded": {journal.Filter{SpottedTo: f.now}, []string{"Flu_100%_held.csv", "flu_retired.csv"}},
			"all at once":  {journal.Filter{Channels: []upload.Channel{upload.Flu}, Kinds: []upload.Kind{"flu"}, Filename: "held", SpottedTo: f.now}, []string{"Flu_100%_held.csv"}},
			"nothing fits": {journal.Filter{Kinds: []upload.Kind{"lis"}}, nil},
			"everything":   {journal.Filter{}, []string{"hqms_1.csv", "flu_failed.csv", "Flu_100%_held.csv", "flu_retired.csv"}},
		} {
			p, err := f.j.List(f.ctx, c.filter, "", 0)
			f.must(err)
			var got []string
			for _, u := range p.Uploads {
				got = append(got, u.Filename)
			}
			f.same(name, got, c.want)
		}
	},
	"the backlog counts what is not finished": func(f *fixture) {
		f.bring("flu_1.csv", digest("a"), upload.StateRetired)
		failed := f.now
		f.record(f.bring("flu_2.csv", digest("b"), upload.StateSettled), upload.Failed(upload.SourceUnreadable, ""), false)
		f.later(time.Second)
		first := f.now
		f.spot("flu_3.csv")
		f.later(time.Second)
		f.spot("flu_4.csv")
		got, err := f.j.Backlog(f.ctx)
		f.must(err)
		f.same("backlog", got, []journal.Backlog{
			{Channel: upload.Flu, State: upload.StateFailed, Files: 1, Bytes: 1000, Oldest: failed},
			{Channel: upload.Flu, State: upload.StateSpotted, Files: 2, Bytes: 2000, Oldest: first},
		})
	},
	"the latest acceptance of a kind is known": func(f *fixture) {
		f.bring("flu_1.csv", digest("a"), upload.StateDecided)
		f.later(time.Hour)
		u := f.bring("flu_2.csv", digest("b"), upload.StateDecided)
		want := []journal.Acceptance{{Channel: upload.Flu, Kind: "flu", UploadID: u.ID, At: f.now}}
		f.later(time.Hour)
		f.record(f.bring("flu_3.csv", digest("c"), upload.StateSent), upload.Decided(upload.Rejected, "", nil), false)
		f.record(u, upload.Retired(upload.Deleted, "", ""), false)
		got, err := f.j.LastAccepted(f.ctx)
		f.must(err)
		f.same("last accepted", got, want)
	},
	"events are read on from a number": func(f *fixture) {
		seq, err := f.j.LastEvent(f.ctx)
		f.must(err)
		f.same("before the first", seq, int64(0))
		f.bring("flu_1.csv", digest("a"), upload.StateSettled)
		seq, err = f.j.LastEvent(f.ctx)
		f.must(err)
		f.bring("flu_2.csv", digest("b"), upload.StateValidated)
		var names []string
		for {
			events, err := f.j.EventsAfter(f.ctx, seq, 2)
			f.must(err)
			if len(events) == 0 {
				break
			}
			for _, e := range events {
				names = append(names, e.Name)
				seq = e.Seq
			}
		}
		f.same("names", names, []string{"spotted", "settled", "validated"})
	},
}
