package app

import (
	"slices"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pace"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// pacing is a program outside its upload window, for whom files of kind lis are urgent.
func pacing(t *testing.T, urgent string) (a *App, now, opens time.Time) {
	t.Helper()
	window, err := pace.ParseWeek("22:00-06:00")
	if err != nil {
		t.Fatal(err)
	}
	library, err := loadStandards(&config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.Local)
	a = &App{cfg: &config.Config{UploadWindow: window, UploadWindowUrgent: urgent, ExpectWarn: time.Hour}, standards: library}
	a.dueWithin = func(ch upload.Channel, kind upload.Kind, d time.Duration) bool {
		return ch == upload.Flu && kind == "lis" && d == time.Hour
	}
	return a, now, time.Date(2026, 11, 27, 22, 0, 0, 0, time.Local)
}

func TestUrgentFilesWaitForTheWindowUnlessToldToBeSent(t *testing.T) {
	t.Parallel()
	for setting, lis := range map[string]bool{"wait": false, "send": true} {
		a, now, opens := pacing(t, setting)
		if got := a.opens(upload.Upload{Channel: upload.Flu, Kind: "flu"}, now); !got.Equal(opens) {
			t.Errorf("%s: a file that is not urgent waits until %s", setting, got)
		}
		if got := a.opens(upload.Upload{Channel: upload.Flu, Kind: "lis"}, now); got.IsZero() != lis {
			t.Errorf("%s: an urgent file waits until %s", setting, got)
		}
		if got := a.opens(upload.Upload{Channel: upload.Flu, Kind: "flu"}, opens); !got.IsZero() {
			t.Errorf("%s: inside the window a file waits until %s", setting, got)
		}
	}
}

func TestUrgentKindsAreThoseThatAreDue(t *testing.T) {
	t.Parallel()
	a, _, _ := pacing(t, "wait")
	if got := a.urgent(upload.Flu); !slices.Equal(got, []upload.Kind{"lis"}) {
		t.Errorf("got %v", got)
	}
	if got := a.urgent(upload.HQMS); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	a.dueWithin = nil
	if got := a.urgent(upload.Flu); len(got) != 0 {
		t.Errorf("without a calendar: %v", got)
	}
}
