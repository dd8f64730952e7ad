package sqlite

import (
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Who has looked need not look again until something has changed; and must then.
func TestWhateverChangesTheJournalIsCountedAndLooksAreNot(t *testing.T) {
	t.Parallel()
	j, err := Open(t.Context(), t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	ctx, now := t.Context(), time.Unix(1000, 0)
	counted := func(what string, want bool, do func() error) {
		t.Helper()
		before := j.Moment()
		if err := do(); err != nil {
			t.Fatal(what, err)
		}
		if after := j.Moment(); before.Same(after) == want || !after.Same(after) {
			t.Errorf("%s: changed, as it says: %v; before %v, after %v", what, !want, before, after)
		}
	}
	var u upload.Upload
	claim := func() (err error) {
		u, _, err = j.Claim(ctx, journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "o", Lease: time.Minute, Now: now})
		return err
	}
	counted("a claim of nothing", false, claim)
	counted("a sighting", true, func() error {
		_, _, err := j.Spot(ctx, upload.Sighting{Channel: upload.Flu, Filename: "flu_1.csv", At: now})
		return err
	})
	counted("a claim", true, claim)
	counted("another, of nothing", false, func() error { held := u; defer func() { u = held }(); return claim() })
	counted("when something is due", false, func() error { _, _, err := j.NextDue(ctx, upload.Flu, upload.OpenStates()); return err })
	counted("a renewal", true, func() error { return j.Renew(ctx, u, now.Add(time.Hour)) })
	counted("an outcome", true, func() error { _, err := j.Record(ctx, u, upload.Settled(u.Source), now, false); return err })
	counted("forgetting what is not there", false, func() error { _, err := j.PruneAlerts(ctx, now, 10); return err })
	counted("a note", true, func() error { return j.SetMeta(ctx, "k", "v") })
	counted("reading one", false, func() error { _, err := j.Meta(ctx, "k"); return err })
}
