package sqlite

import (
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// What a power cut may not undo waits for the disk, whatever came before it; a
// lease need not.
func TestOnlyLeasesDoNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	j, err := Open(t.Context(), t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	ctx, now := t.Context(), time.Unix(1000, 0)
	const normal, full = 1, 2 // as SQLite counts
	want := func(what string, level int, err error) {
		t.Helper()
		var got int
		if err != nil {
			t.Fatal(what, err)
		}
		if err := j.DB().QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&got); err != nil || got != level {
			t.Errorf("%s was committed with synchronous = %d, want %d; %v", what, got, level, err)
		}
	}
	claim := func() upload.Upload {
		u, _, err := j.Claim(ctx, journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "o", Lease: time.Minute, Now: now})
		want("a claim", normal, err)
		return u
	}
	_, _, err = j.Spot(ctx, upload.Sighting{Channel: upload.Flu, Filename: "flu_1.csv", At: now})
	want("a sighting", full, err)
	u := claim()
	want("a renewal", normal, j.Renew(ctx, u, now.Add(time.Hour)))
	for _, o := range []upload.Outcome{
		upload.Settled(u.Source), upload.Validated(upload.Examination{Digest: "sha-256:a"}), upload.Packed(),
	} {
		_, err = j.Record(ctx, u, o, now, false)
		want("outcome "+o.Name(), full, err)
		u = claim()
	}
	want("a ticket", full, j.KeepTicket(ctx, u, upload.Ticket{Token: "t"}, now))
	want("a release", normal, j.Release(ctx, u))
	_, err = j.Act(ctx, u.ID, upload.Cancelled(), now)
	want("an operator's word", full, err)
}
