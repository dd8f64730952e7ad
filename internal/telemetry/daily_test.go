package telemetry

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLogFilesTurnAtMidnightAndTheOldestGo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lo[g]s") // a pattern character in the path
	now := time.Date(2026, 1, 1, 23, 59, 0, 0, time.Local)
	d := &dailyFile{dir: dir, now: func() time.Time { return now }, keep: 3, complain: func(err error) { t.Error(err) }}
	defer d.Close()
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "hqms-sidecar-notes.log"), nil, 0o600))
	for range 5 {
		_, _ = io.WriteString(d, "line\n")
		now = now.Add(24 * time.Hour)
	}
	names, err := os.ReadDir(dir)
	must(t, err)
	var got []string
	for _, n := range names {
		got = append(got, n.Name())
	}
	want := "hqms-sidecar-2026-01-03.log hqms-sidecar-2026-01-04.log hqms-sidecar-2026-01-05.log hqms-sidecar-notes.log"
	if strings.Join(got, " ") != want {
		t.Errorf("files: %v", got)
	}
}

func TestUnwritableLogDirectoryIsToldOnceAndEndsNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "file", "logs")
	must(t, os.WriteFile(filepath.Dir(dir), nil, 0o600)) // a file where a directory must be
	now := noon
	var told []error
	d := &dailyFile{dir: dir, now: func() time.Time { return now }, keep: 3, complain: func(err error) { told = append(told, err) }}
	defer d.Close()
	for range 5 {
		if n, err := d.Write([]byte("line\n")); n != 5 || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
		now = now.Add(time.Minute)
	}
	must(t, os.Remove(filepath.Dir(dir)))
	_, _ = d.Write([]byte("again\n"))
	if len(told) != 2 || told[0] == nil || told[1] != nil {
		t.Errorf("told: %v", told)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	must(t, err)
	if len(files) != 1 {
		t.Errorf("files: %v", files)
	}
}

func TestFullDiskLosesLinesButNotTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	now := noon
	var stdout strings.Builder
	tel, err := Start(t.Context(), Options{Stdout: &stdout, LogDir: dir, LogFormat: "text", Now: func() time.Time { return now }})
	must(t, err)
	for range 100 {
		tel.Logger().Info("much", slog.String("text", strings.Repeat("x", 2000)))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	must(t, err)
	must(t, os.Truncate(files[0], 0))
	now = now.Add(time.Minute)
	tel.Logger().Info("room again")
	must(t, tel.Shutdown(t.Context()))
	text, err := os.ReadFile(files[0])
	must(t, err)
	if !strings.Contains(string(text), "\n"+"time=") || !strings.Contains(string(text), "room again") {
		t.Errorf("file: %.200q", text)
	}
	if n := strings.Count(stdout.String(), "log file cannot be written"); n != 1 {
		t.Errorf("told %d times on standard output", n)
	}
	if strings.Count(stdout.String(), "much") != 100 {
		t.Error("standard output lost lines")
	}
}
