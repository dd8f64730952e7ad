package alert

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// counting is a journal that counts how many uploads are read one by one.
type counting struct {
	*journal.Journal
	reads int
}

// Get implements Ledger.
func (c *counting) Get(ctx context.Context, id upload.ID) (upload.Upload, error) {
	c.reads++
	return c.Journal.Get(ctx, id)
}

// decide brings a file from its sighting to a verdict.
func (w *world) decide(name string, v upload.Verdict) upload.Upload {
	w.Helper()
	seen := upload.Identity{Inode: 1, Size: 10, ModTime: w.now.UnixNano(), ChangeTime: w.now.UnixNano()}
	_, _, err := w.j.Spot(w.ctx, upload.Sighting{Channel: upload.Flu, Kind: "flu", Filename: name, Seen: seen, Forced: true, At: w.now})
	w.must(err)
	u, found, err := w.j.Claim(w.ctx, journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "test", Lease: time.Minute, Now: w.now})
	w.must(err)
	if !found {
		w.Fatalf("%s cannot be claimed", name)
	}
	digest := fmt.Sprintf("sha-256:%064d", w.now.UnixNano())
	x := upload.Examination{Digest: digest, Size: 10, Rows: 1, Charset: "utf-8", Standard: "flu-2.6", PackedSize: 5, PackedDigest: digest}
	for _, o := range []upload.Outcome{
		upload.Settled(seen), upload.Validated(x), upload.Packed(), upload.Sent(upload.Ticket{Token: name, Fate: upload.Answered, IssuedAt: w.now}, ""),
		upload.Decided(v, "", &upload.Receipt{}), upload.Retired(upload.InArchive, "archive/"+name, ""),
	} {
		u, err = w.j.Record(w.ctx, u, o, w.now, true)
		w.must(err)
	}
	w.now = w.now.Add(time.Second)
	return u
}

// followed makes alerts of all events, and gives how many are open.
func (w *world) followed(f *counting) int {
	w.Helper()
	b := NewBook(f, w.policy, w.clock, nil)
	for more := true; more; {
		var err error
		more, err = b.Follow(w.ctx, f)
		w.must(err)
	}
	open, err := w.j.OpenAlerts(w.ctx)
	w.must(err)
	return len(open)
}

func TestFilesThatAreAcceptedEndTheirAlertsAndCostNothingWhereThereAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := &counting{Journal: w.j}
	w.must(w.book.Begin(w.ctx, w.j))
	w.must(w.book.Raise(w.ctx, Signal{Event: Missing, Channel: upload.Flu, Kind: "lis"})) // no file's
	for i := range 3 {
		w.decide(fmt.Sprintf("flu_%d.csv", i), upload.Accepted)
	}
	if open := w.followed(f); open != 1 || f.reads != 0 {
		t.Errorf("%d alerts are open, want the one of the missing file; %d uploads were read", open, f.reads)
	}
	w.decide("flu_9.csv", upload.Rejected)
	if open := w.followed(f); open != 2 {
		t.Errorf("%d alerts are open after a rejection, want 2", open)
	}
	w.decide("flu_10.csv", upload.Accepted)
	if open := w.followed(f); open != 2 {
		t.Errorf("%d alerts are open after another file was accepted, want 2", open)
	}
	w.decide("flu_9.csv", upload.Accepted)
	if open := w.followed(f); open != 1 {
		t.Errorf("%d alerts are open after the correction was accepted, want 1", open)
	}
	w.decide("flu_11.csv", upload.Rejected)
	w.decide("flu_11.csv", upload.Accepted) // both are followed at once
	if open := w.followed(f); open != 1 {
		t.Errorf("%d alerts are open of a file rejected and accepted meanwhile, want 1", open)
	}
}
