package app

import (
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

func TestAMissingFileIsOneAlertUntilItHasCome(t *testing.T) {
	t.Parallel()
	j, err := sqlite.Open(t.Context(), t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	m := missingFiles{alert.NewBook(j, alert.Policy{}, time.Now, nil)}
	due := time.Date(2026, 11, 28, 9, 0, 0, 0, time.Local)
	e := calendar.Expectation{Channel: "flu", Kind: "hda", Day: "2026-11-28", Due: due}
	for _, step := range []struct {
		event calendar.Event
		open  int
		sev   alert.Severity
	}{{calendar.Near, 1, alert.Warning}, {calendar.Missing, 1, alert.Critical}, {calendar.Missing, 1, alert.Critical}, {calendar.Restored, 0, ""}, {calendar.Restored, 0, ""}} {
		if err := m.Tell(t.Context(), calendar.Notice{Event: step.event, Expectation: e}); err != nil {
			t.Fatal(err)
		}
		open, err := j.OpenAlerts(t.Context())
		if err != nil || len(open) != step.open {
			t.Fatalf("after %s: %d open, %v", step.event, len(open), err)
		}
		if len(open) == 1 && alert.Severity(open[0].Severity) != step.sev {
			t.Errorf("after %s: %s", step.event, open[0].Severity)
		}
		for _, lang := range phrase.Langs() {
			for _, part := range []string{"hda", phrase.Text(lang, "ui.kind.hda", nil), "2026-11-28 09:00"} {
				if len(open) == 1 && !strings.Contains(alert.Text(open[0], lang), part) {
					t.Errorf("after %s: %q lacks %q", step.event, alert.Text(open[0], lang), part)
				}
			}
		}
	}
}
