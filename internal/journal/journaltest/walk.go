package journaltest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// walk does random things to a journal and to a model of it, and compares what
// either says. All walks share the journal; each has a channel of its own.
func walk(t *testing.T, j *journal.Journal) {
	walks := 0
	rapid.Check(t, func(rt *rapid.T) {
		walks++
		w := &walker{
			Journal: j, model: model{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)},
			rt: rt, t: t, channel: upload.Channel(fmt.Sprint("walk", walks)),
		}
		rt.Repeat(map[string]func(*rapid.T){
			"spot":   w.spot,
			"claim":  w.claim,
			"record": w.record,
			"act":    w.act,
			"renew":  w.renew,
			"time": func(rt *rapid.T) {
				w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Second, time.Minute, time.Hour}).Draw(rt, "passes"))
			},
		})
		w.compare()
	})
}

type walker struct {
	*journal.Journal
	model
	rt      *rapid.T
	t       *testing.T
	channel upload.Channel
	copies  []upload.Upload // claimed at some time; most of them are stale
}

func (w *walker) spot(rt *rapid.T) {
	s := upload.Sighting{
		Channel: w.channel, Kind: rapid.SampledFrom([]upload.Kind{"flu", "lis"}).Draw(rt, "kind"), Filename: rapid.SampledFrom([]string{"a.csv", "b.csv", "c.csv"}).Draw(rt, "name"),
		Seen:    upload.Identity{Size: rapid.Int64Range(1, 3).Draw(rt, "size")},
		BatchID: upload.NewUUID(w.now), Forced: rapid.Bool().Draw(rt, "forced"), Complete: rapid.Bool().Draw(rt, "complete"), At: w.now,
	}
	want, wantSpotting := w.foretell(s)
	got, spotting, err := w.Spot(w.t.Context(), s)
	w.must(err)
	w.same("spotting", spotting, wantSpotting)
	if spotting != upload.Began {
		w.same("spotted", got, want.Upload)
		return
	}
	want.ID, want.TraceID, want.RootSpanID = got.ID, got.TraceID, got.RootSpanID
	w.same("begun", got, want.Upload)
	want.events = []string{"spotted"}
	if s.Complete {
		want.events = append(want.events, "settled")
	}
	w.rows = append(w.rows, want)
}

func (w *walker) claim(rt *rapid.T) {
	c := journal.Claim{
		Channel: w.channel, Owner: "w", Lease: time.Minute, Now: w.now,
		States: rapid.SliceOfNDistinct(rapid.SampledFrom(upload.OpenStates()), 3, 6, rapid.ID).Draw(rt, "states"),
		First:  rapid.SampledFrom([][]upload.Kind{nil, {"lis"}}).Draw(rt, "first"),
	}
	want := w.model.claim(c)
	got, found, err := w.Claim(w.t.Context(), c)
	w.must(err)
	w.same("found", found, want != nil)
	if want == nil {
		return
	}
	claimed := want.Upload
	claimed.Fence = want.fence
	w.same("claimed", got, claimed)
	w.copies = append(w.copies, got)
}

func (w *walker) record(rt *rapid.T) {
	if len(w.copies) == 0 {
		rt.Skip()
	}
	// Mostly the latest copy; the older ones are there to be refused.
	i := len(w.copies) - 1
	if rapid.IntRange(0, 3).Draw(rt, "stale") == 0 {
		i = rapid.IntRange(0, i).Draw(rt, "copy")
	}
	u := w.copies[i]
	o := w.outcome(rt, u.State)
	keep := rapid.Bool().Draw(rt, "keep")
	want, wantErr := w.model.record(u, o, keep)
	got, err := w.Record(w.t.Context(), u, o, w.now, keep)
	w.sameError(err, wantErr)
	if wantErr == nil {
		w.same("recorded", got, want)
		w.copies[i] = got
	}
}

func (w *walker) act(rt *rapid.T) {
	if len(w.rows) == 0 {
		rt.Skip()
	}
	r := rapid.SampledFrom(w.rows).Draw(rt, "row")
	o := rapid.SampledFrom([]upload.Outcome{
		upload.Cancelled(), upload.Retried(), upload.Retried(), upload.AskedAgain(), upload.Relocated(upload.Expired, ""),
	}).Draw(rt, "act")
	want, wantErr := w.model.act(r, o)
	got, err := w.Act(w.t.Context(), r.ID, o, w.now)
	w.sameError(err, wantErr)
	if wantErr == nil {
		w.same("acted", got, want)
	}
}

func (w *walker) renew(rt *rapid.T) {
	if len(w.copies) == 0 {
		rt.Skip()
	}
	u := rapid.SampledFrom(w.copies).Draw(rt, "copy")
	r := w.find(u.ID)
	until := w.now.Add(time.Minute)
	held := r.leased && r.fence == u.Fence
	if held {
		r.until = until
	}
	err := w.Renew(w.t.Context(), u, until)
	if held {
		w.must(err)
	} else {
		w.sameError(err, journal.ErrLeaseLost)
	}
}

// outcome is mostly one that fits the state, of any kind now and then.
func (w *walker) outcome(rt *rapid.T, s upload.State) upload.Outcome {
	if rapid.IntRange(0, 9).Draw(rt, "any") == 0 {
		s = rapid.SampledFrom(upload.OpenStates()).Draw(rt, "as if")
	}
	d := rapid.SampledFrom([]time.Duration{0, time.Second, 2 * time.Minute}).Draw(rt, "after")
	ticket := upload.Ticket{Token: rapid.SampledFrom([]string{"t1", "t2"}).Draw(rt, "token"), Fate: upload.Maybe, IssuedAt: w.now}
	x := examination(digest(rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "content")))
	all := []upload.Outcome{
		upload.Hold(d, upload.SpoolFull, "full"), upload.Retry(d, upload.ServerError, ""), upload.Failed(upload.UploadRefused, ""),
	}
	switch s {
	case upload.StateSpotted:
		seen := upload.Identity{Size: rapid.Int64Range(1, 3).Draw(rt, "seen")}
		all = append(all, upload.HoldLooking(d, upload.StillChanging, seen), upload.Settled(seen), upload.Settled(seen), upload.Vanished())
	case upload.StateSettled:
		all = append(all, upload.Validated(x), upload.Validated(x), upload.HeldBack(x), upload.Superseded(), upload.Unfit(upload.NotRegular))
	case upload.StateValidated:
		earlier := rapid.SampledFrom(w.rows).Draw(rt, "earlier").Upload
		all = append(all, upload.Packed(), upload.Packed(), upload.PackedAdopting(earlier), upload.PackedAdopting(earlier),
			upload.DeliveredEarlier(earlier), upload.Resettled(upload.SourceChanged))
	case upload.StatePacked:
		all = append(all, upload.Sent(ticket, ""), upload.Sent(ticket, upload.AnswerLost), upload.BrokenOff(ticket, d, upload.UploadBroken, ""),
			upload.Decided(upload.Rejected, upload.UploadRefused, nil), upload.Resettled(upload.SpoolLost))
	case upload.StateSent:
		v := rapid.SampledFrom(upload.Verdicts()).Draw(rt, "verdict")
		all = append(all, upload.Polled(ticket, d, upload.ServerWorking), upload.Unarrived(d), upload.Decided(v, "", aReceipt(w.now)),
			upload.Decided(upload.Unresolved, upload.DeadlinePassed, nil))
	case upload.StateDecided:
		p := rapid.SampledFrom(upload.Places()).Draw(rt, "place")
		all = append(all, upload.Retired(p, "path", ""), upload.Retired(upload.InWatch, "path", ""))
	default:
	}
	return rapid.SampledFrom(all).Draw(rt, "outcome")
}

// compare holds every row and its events against the model, once at the end: what
// a step gives is compared at once, and its traces stay.
func (w *walker) compare() {
	for _, r := range w.rows {
		got, err := w.Get(w.t.Context(), r.ID)
		w.must(err)
		w.same("row", got, r.Upload)
		events, err := w.Events(w.t.Context(), r.ID)
		w.must(err)
		names := make([]string, len(events))
		for i, e := range events {
			names[i] = e.Name
		}
		w.same("events", names, r.events)
		w.same("state of last event", events[len(events)-1].To, r.State)
	}
}

func (w *walker) must(err error) {
	w.rt.Helper()
	if err != nil {
		w.rt.Fatal(err)
	}
}

func (w *walker) same(what string, got, want any) {
	w.rt.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.rt.Fatalf("%s (-model +journal):\n%s", what, diff)
	}
}

func (w *walker) sameError(got, want error) {
	w.rt.Helper()
	if !errors.Is(got, want) || (want == nil) != (got == nil) {
		w.rt.Fatalf("error %v, the model says %v", got, want)
	}
}

// model is the journal as a few lines of Go.
type model struct {
	now  time.Time
	rows []*modelRow // in the order of spotting
}

type modelRow struct {
	upload.Upload
	fence  int64
	leased bool
	until  time.Time
	events []string
}

func (m *model) find(id upload.ID) *modelRow {
	i := slices.IndexFunc(m.rows, func(r *modelRow) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return m.rows[i]
}
