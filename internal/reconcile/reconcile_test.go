package reconcile

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func graded(stocked, total int64) *upload.Receipt {
	return &upload.Receipt{Grades: &upload.Grades{Stocked: stocked, Total: total}}
}

func TestWhatBecameOfAFilesRows(t *testing.T) {
	t.Parallel()
	sent := time.Unix(1, 0)
	for name, tt := range map[string]struct {
		a    journal.Account
		rows Rows
		gap  Reason
		not  Uncounted
	}{
		"accepted":                        {journal.Account{Verdict: upload.Accepted, Receipt: graded(10, 10), Holds: true}, Rows{10, 10, 10, 10}, "", ""},
		"accepted without counts":         {journal.Account{Verdict: upload.Accepted, Receipt: &upload.Receipt{}, Holds: true}, Rows{10, 10, 10, 10}, "", ""},
		"accepted, and exported anew":     {journal.Account{Verdict: upload.Accepted, Receipt: graded(10, 10), Holds: true, Successor: "n"}, Rows{10, 10, 10, 10}, "", ""},
		"accepted, the server counted 9":  {journal.Account{Verdict: upload.Accepted, Receipt: graded(9, 9), Holds: true}, Rows{10, 10, 10, 9}, CountDiffers, ""},
		"accepted, the server counted 11": {journal.Account{Verdict: upload.Accepted, Receipt: graded(11, 11), Holds: true}, Rows{10, 10, 10, 11}, CountDiffers, ""},
		"partially accepted":              {journal.Account{Verdict: upload.PartiallyAccepted, Receipt: graded(4, 10), Holds: true}, Rows{10, 10, 10, 4}, PartiallyAccepted, ""},
		"partially, then corrected":       {journal.Account{Verdict: upload.PartiallyAccepted, Receipt: graded(4, 10), Holds: true, Successor: "n"}, Rows{10, 10, 10, 4}, PartiallyAccepted, Replaced},
		"partially, and exported again":   {journal.Account{Verdict: upload.PartiallyAccepted, Receipt: graded(4, 10)}, Rows{10, 10, 10, 4}, PartiallyAccepted, Repeated},
		"the server had it":               {journal.Account{Verdict: upload.Duplicate, Holds: true}, Rows{10, 10, 10, 10}, "", ""},
		"another file delivered it":       {journal.Account{Verdict: upload.Duplicate}, Rows{10, 10, 10, 10}, "", Repeated},
		"rejected":                        {journal.Account{Verdict: upload.Rejected, SentAt: sent}, Rows{10, 10, 10, 0}, Rejected, ""},
		"refused before it was sent":      {journal.Account{Verdict: upload.Rejected}, Rows{10, 10, 0, 0}, Rejected, ""},
		"invalid":                         {journal.Account{Verdict: upload.Invalid}, Rows{10, 10, 0, 0}, Invalid, ""},
		"invalid, then corrected":         {journal.Account{Verdict: upload.Invalid, Successor: "n"}, Rows{10, 10, 0, 0}, Invalid, Replaced},
		"unresolved":                      {journal.Account{Verdict: upload.Unresolved, Holds: true}, Rows{10, 10, 10, 0}, Unresolved, ""},
		"packed":                          {journal.Account{State: upload.StatePacked, Holds: true}, Rows{10, 10, 0, 0}, Waiting, ""},
		"sent":                            {journal.Account{State: upload.StateSent, Holds: true}, Rows{10, 10, 10, 0}, WaitingForVerdict, ""},
		"failed":                          {journal.Account{State: upload.StateFailed}, Rows{10, 10, 0, 0}, Failed, ""},
		"failed to be put away":           {journal.Account{State: upload.StateFailed, Verdict: upload.Accepted, Holds: true}, Rows{10, 10, 10, 10}, "", ""},
		"cancelled":                       {journal.Account{State: upload.StateCancelled}, Rows{10, 10, 0, 0}, Cancelled, ""},
		"vanished":                        {journal.Account{State: upload.StateVanished}, Rows{10, 10, 0, 0}, Vanished, ""},
		"superseded":                      {journal.Account{State: upload.StateSuperseded, Successor: "n"}, Rows{10, 10, 0, 0}, Superseded, Replaced},
	} {
		tt.a.Rows, tt.a.Digest = 10, "sha-256:aa"
		l := LineOf(tt.a)
		if d := cmp.Diff(tt.rows, l.Rows); d != "" || l.Gap != tt.gap || l.Uncounted != tt.not {
			t.Errorf("%s: %q %q %s", name, l.Gap, l.Uncounted, d)
		}
	}
}

// account draws an upload.
func account(t *rapid.T, i int) journal.Account {
	a := journal.Account{
		ID: upload.ID(fmt.Sprintf("%05d", i)), Channel: rapid.SampledFrom([]upload.Channel{upload.Flu, upload.HQMS}).Draw(t, "channel"),
		Kind: rapid.SampledFrom([]upload.Kind{"flu", "hqms", "lis"}).Draw(t, "kind"), Filename: "f",
		State: rapid.SampledFrom(upload.States()).Draw(t, "state"), Verdict: rapid.SampledFrom(append(upload.Verdicts(), "")).Draw(t, "verdict"),
		Holds: rapid.Bool().Draw(t, "holds"), SourceSize: rapid.Int64Range(0, 1000).Draw(t, "size"), PackedSize: rapid.Int64Range(0, 100).Draw(t, "packed"),
		SpottedAt: time.Date(2026, 10, 15, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 7 * time.Hour),
	}
	if rapid.Bool().Draw(t, "read") {
		a.Digest, a.Rows = "sha-256:aa", rapid.Int64Range(0, 50).Draw(t, "rows")
	}
	if rapid.Bool().Draw(t, "graded") {
		a.Receipt = graded(rapid.Int64Range(0, 60).Draw(t, "stocked"), 60)
	}
	if rapid.IntRange(0, 3).Draw(t, "successor") == 0 {
		a.Successor = "later"
	}
	return a
}

// sum adds up the items of a report.
func sum(r *Report) (files, not int64, rows Rows, apart int64) {
	for _, i := range r.Items() {
		files, not = files+i.Sum.Files, not+i.Sum.NotCounted
		rows.Exported += i.Sum.Rows.Exported
		rows.Checked += i.Sum.Rows.Checked
		rows.Sent += i.Sum.Rows.Sent
		rows.Stored += i.Sum.Rows.Stored
		for _, g := range i.Sum.Gaps() {
			apart += g.Rows
		}
	}
	return files, not, rows, apart
}

func TestFilesSumToDaysToMonthsToTheTotal(t *testing.T) {
	t.Parallel()
	shanghai := time.FixedZone("", 8*3600)
	rapid.Check(t, func(t *rapid.T) {
		reports := []*Report{{Group: ByFile, Zone: shanghai}, {Group: ByDay, Zone: shanghai}, {Group: ByMonth, Zone: shanghai}}
		for i := range rapid.IntRange(0, 150).Draw(t, "n") {
			a := account(t, i)
			for _, r := range reports {
				r.Add(a)
			}
		}
		for _, r := range reports {
			files, not, rows, apart := sum(r)
			if files != r.Total.Files || not != r.Total.NotCounted || rows != r.Total.Rows || rows.Exported != rows.Stored+apart {
				t.Fatalf("by %s: %d files, %d not, %+v, %d apart; total %+v", r.Group, files, not, rows, apart, r.Total)
			}
			for _, i := range r.Items() {
				apart := int64(0)
				for _, g := range i.Sum.Gaps() {
					apart += g.Rows
				}
				if i.Sum.Rows.Exported != i.Sum.Rows.Stored+apart || i.Sum.Balanced() != (len(i.Sum.Gaps()) == 0) {
					t.Fatalf("by %s: %+v", r.Group, i)
				}
			}
			if d := cmp.Diff(reports[0].Total, r.Total, cmp.AllowUnexported(Sum{})); d != "" {
				t.Fatalf("totals differ by %s: %s", r.Group, d)
			}
		}
	})
}

// Accounts come in the order of spotting; ids of files that were spotted at once
// are in no order.
func TestPagesOfFilesHoldEachOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, limit := rapid.IntRange(0, 30).Draw(t, "n"), rapid.IntRange(1, 12).Draw(t, "limit")
		ids := rapid.Permutation(numbers(n)).Draw(t, "ids")
		atOnce := rapid.IntRange(1, 31).Draw(t, "spotted at once")
		seen, after := 0, journal.Position{}
		for {
			r := &Report{Group: ByFile, Zone: time.UTC, After: after, Limit: limit}
			for i, id := range ids {
				r.Add(journal.Account{ID: id, Seq: int64(i + 1), SpottedAt: time.Unix(int64(i/atOnce), 0)})
			}
			for _, i := range r.Items() {
				if seen == n || i.File.ID != ids[seen] {
					t.Fatalf("%s is number %d of %v", i.File.ID, seen, ids)
				}
				seen++
			}
			if r.Total.Files != int64(n) {
				t.Fatalf("the total is of %d files", r.Total.Files)
			}
			next := r.Next()
			if next == "" {
				break
			}
			var err error
			if after, err = journal.ParsePosition(next); err != nil {
				t.Fatal(err)
			}
		}
		if seen != n {
			t.Fatalf("%d of %d", seen, n)
		}
	})
}

func numbers(n int) []upload.ID {
	all := make([]upload.ID, n)
	for i := range all {
		all[i] = upload.ID(fmt.Sprintf("%05d", i))
	}
	return all
}

func TestDaysAreThoseOfTheZone(t *testing.T) {
	t.Parallel()
	r := &Report{Group: ByDay, Zone: time.FixedZone("", 8*3600)}
	r.Add(journal.Account{Kind: "flu", SpottedAt: time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)})
	if i := r.Items()[0]; i.Day != "2026-12-01" || i.Month != "2026-12" {
		t.Errorf("got %+v", i)
	}
}

func TestEveryReasonHasWords(t *testing.T) {
	t.Parallel()
	for _, r := range Reasons() {
		if !phrase.Has("gap." + string(r)) {
			t.Errorf("gap %s has no words", r)
		}
	}
	for _, u := range []Uncounted{Replaced, Repeated} {
		if !phrase.Has("uncounted." + string(u)) {
			t.Errorf("%s has no words", u)
		}
	}
	if got, want := len(phrase.IDs("gap.")), len(Reasons()); got != want {
		t.Errorf("%d words for %d reasons", got, want)
	}
}
