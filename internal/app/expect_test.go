package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestAHolidayListThatRunsOutIsToldOnceAYear(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../../deploy/holidays.csv")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "holidays.csv")
	if err := os.WriteFile(path, list, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.Local)
	h := &holidays{path: path, log: slog.New(slog.NewTextHandler(&log, nil)), clock: func() time.Time { return now }}
	said := func(at time.Time) int {
		before := strings.Count(log.String(), "says nothing")
		now = at
		h.now()
		h.now()
		return strings.Count(log.String(), "says nothing") - before
	}
	for _, c := range []struct {
		month time.Month
		year  int
		want  int
	}{{time.June, 2026, 0}, {time.December, 2026, 1}, {time.January, 2027, 0}, {time.November, 2027, 0}, {time.December, 2027, 1}} {
		if got := said(time.Date(c.year, c.month, 2, 12, 0, 0, 0, time.Local)); got != c.want {
			t.Errorf("%s %d: said %d times, want %d", c.month, c.year, got, c.want)
		}
	}
}

// Only a delivery ends the alert of a missing file, and none comes of what the settings
// do not expect any more.
func TestAnAlertOfAFileThatIsNotExpectedAnyMoreEnds(t *testing.T) {
	t.Parallel()
	a := started(t, Seams{}, "FLU_EXPECT=daily 09:00 flu")
	ctx := t.Context()
	for _, s := range []alert.Signal{
		{Event: alert.Missing, Channel: upload.Flu, Kind: "flu"},
		{Event: alert.Missing, Channel: upload.Flu, Kind: "lis"},
		{Event: alert.Missing, Channel: upload.HQMS, Kind: "hqms"},
		{Event: alert.Disk, Reason: upload.DiskFull},
	} {
		if err := a.alerts.book.Raise(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.beginAlerts(ctx); err != nil {
		t.Fatal(err)
	}
	open, err := a.journal.OpenAlerts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, x := range open {
		keys = append(keys, x.Key)
	}
	if got := strings.Join(keys, " "); got != "missing_file/flu/flu disk_full" {
		t.Errorf("open: %s", got)
	}
}
