package sqlite

import (
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestAJournalThatRestsHoldsNoConnectionsToReadAndGoesOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	j, err := Open(ctx, t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	look := func() {
		t.Helper()
		if _, err := j.List(ctx, journal.Filter{}, "", 10); err != nil {
			t.Error(err)
		}
		if err := j.SetMeta(ctx, "a", "b"); err != nil {
			t.Error(err)
		}
		if _, _, err := j.NextDue(ctx, upload.Flu, upload.OpenStates()); err != nil {
			t.Error(err)
		}
	}
	look()
	if open := j.Reading(); open == 0 {
		t.Fatal("nothing was read by a connection of the pool")
	}
	if err := j.Rest(ctx); err != nil {
		t.Fatal(err)
	}
	if open := j.Reading(); open != 0 {
		t.Errorf("%d connections are still held", open)
	}
	look()
}
