package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres/postgrestest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func environ(t *testing.T) []string {
	t.Helper()
	return []string{
		"STATE_DIR=" + filepath.Join(t.TempDir(), "state"), "LISTEN_ADDR=127.0.0.1:0",
		"FLU_WATCH_DIR=" + t.TempDir(), "FLU_ACCOUNT=a", "FLU_PASSWORD=p", "FLU_SERVER_URL=https://127.0.0.1:1/",
	}
}

func TestAFullDiskDoesNotKeepItFromStarting(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(environ(t))
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	full := func(op string) error {
		if op != "forget leases" {
			return nil
		}
		asked = true
		return upload.LocalFaultOf(upload.DiskFull, "", nil)
	}
	a, err := New(t.Context(), cfg, io.Discard, Seams{Journal: full})
	if err != nil || !asked {
		t.Fatalf("asked %v: %v", asked, err)
	}
	if err := a.life.stop(slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}

func TestTheJournalIsBroughtUpOnceThereIsSpace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := fmt.Errorf("readmit: %w", upload.LocalFaultOf(upload.DiskFull, "", nil))
		var log bytes.Buffer
		tries := 0
		err := onceThereIsSpace(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) error {
			if tries++; tries < 4 {
				return full
			}
			return nil
		})
		if err != nil || tries != 4 || strings.Count(log.String(), "level=ERROR") != 1 {
			t.Errorf("%v after %d tries, said %s", err, tries, &log)
		}
		other := errors.New("other")
		if err := onceThereIsSpace(t.Context(), slog.New(slog.DiscardHandler), func(context.Context) error { return other }); !errors.Is(err, other) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := onceThereIsSpace(ctx, slog.New(slog.DiscardHandler), func(context.Context) error { return full }); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	})
}

func TestToldToStopWhileStartingIsAnOrderlyEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	if code := serve(ctx, Call{Environ: environ(t), Stdout: io.Discard, Stderr: &stderr}, nil); code != exitOK || strings.Contains(stderr.String(), "cannot start") {
		t.Errorf("exit code %d, said %q", code, &stderr)
	}
}

// The database of several replicas may go away at any moment, and so at any
// operation of a start.
func TestADatabaseThatGoesAwayInTheMiddleOfTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	pg := postgrestest.Own(t)
	cfg, err := config.Load(append(environ(t), "DATABASE_URL="+pg.URL(""), "LOG_LEVEL=error"))
	if err != nil {
		t.Fatal(err)
	}
	for away := 1; ; away++ {
		op := 0
		seam := func(string) error {
			if op++; op == away {
				return upload.LocalFaultOf(upload.JournalUnavailable, "", errors.New("gone"))
			}
			return nil
		}
		a, err := New(t.Context(), cfg, io.Discard, Seams{Journal: seam})
		if err != nil {
			t.Fatalf("away at operation %d: %v", away, err)
		}
		if err := a.life.stop(slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
		if op < away {
			t.Logf("%d operations of a start", op)
			break
		}
	}
}
