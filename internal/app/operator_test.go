package app

import (
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pipeline"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// An operator opens the channel after the stage has found it paused, and before the row
// says that it waits for that: whoever is woken then, it is not this one.
func TestAnUploadThatIsPausedWhileTheChannelIsResumedDoesNotWait(t *testing.T) {
	t.Parallel()
	var a *App
	resumed := 0
	resume := func(op string) error {
		if op != "record hold" {
			return nil
		}
		resumed++
		return a.lines[upload.Flu].gate.Resume(t.Context())
	}
	a = started(t, Seams{Journal: resume})
	ctx := t.Context()
	u := packed(t, a)
	if err := a.lines[upload.Flu].gate.Pause(ctx, "somebody"); err != nil {
		t.Fatal(err)
	}
	if worked, err := a.pipeline.RunOnce(ctx, upload.Flu, pipeline.Heavy); !worked || err != nil || resumed != 1 {
		t.Fatalf("worked %v, resumed %d times, %v", worked, resumed, err)
	}
	u, err := a.journal.Get(ctx, u.ID)
	if err != nil || u.Reason != upload.ChannelPaused || u.NextAttemptAt.After(a.now()) {
		t.Errorf("it waits for %q until %s, %v", u.Reason, u.NextAttemptAt, err)
	}
}

// packed makes an upload whose next stage sends it.
func packed(t *testing.T, a *App) upload.Upload {
	t.Helper()
	ctx, now := t.Context(), a.now()
	if _, _, err := a.journal.Spot(ctx, upload.Sighting{Channel: upload.Flu, Kind: "flu", Filename: "flu_1.csv", At: now}); err != nil {
		t.Fatal(err)
	}
	u, ok, err := a.journal.Claim(ctx, journal.Claim{Channel: upload.Flu, States: []upload.State{upload.StateSpotted}, Owner: "test", Lease: time.Minute, Now: now})
	if err != nil || !ok {
		t.Fatalf("claimed %v, %v", ok, err)
	}
	u, err = a.journal.RecordAll(ctx, u, []upload.Outcome{
		upload.Settled(u.Source), upload.Validated(upload.Examination{Digest: "sha-256:aa"}), upload.Packed(),
	}, now, false)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOnlyAGateThatSomebodyOpensIsAskedAgain(t *testing.T) {
	t.Parallel()
	a := started(t, Seams{})
	for reason, want := range map[upload.Reason]bool{
		upload.ChannelPaused: true, upload.CredentialsMissing: true, upload.CredentialsRefused: true,
		upload.ServerUnreachable: false, upload.OutsideUploadWindow: false, "": false,
	} {
		if got := a.opened(t.Context(), upload.Upload{Channel: upload.Flu, Reason: reason}); got != want {
			t.Errorf("%q: %v, want %v", reason, got, want)
		}
	}
}
