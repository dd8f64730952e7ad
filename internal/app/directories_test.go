package app

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestAReadOnlyWatchedDirectoryIsSaidBeforeAnyFileComes(t *testing.T) {
	t.Parallel()
	dir, ok := durabletest.Tmpfs(t, "size=1m")
	if !ok {
		t.Skip("NOT TESTED: no right to mount")
	}
	state := t.TempDir()
	cfg, err := config.Load(append(environ(t), "FLU_WATCH_DIR="+dir, "STATE_DIR="+state))
	if err != nil {
		t.Fatal(err)
	}
	var f forbidden
	var log bytes.Buffer
	f.look(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if len(f.obstacles()) > 0 || log.Len() > 0 {
		t.Fatalf("a good directory is complained of: %+v\n%s", f.obstacles(), log.String())
	}
	durabletest.ReadOnly(t, dir)
	f.look(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if all := f.obstacles(); len(all) != 1 || all[0].Reason != upload.ReadOnly || all[0].Channel != upload.Flu {
		t.Fatalf("obstacles %+v", all)
	}
	for _, want := range []string{dir, "只读", "补救", "Remedy", "FLU_ON_ACCEPTED=keep"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in %s", want, log.String())
		}
	}
	log.Reset()
	f.look(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if log.Len() > 0 {
		t.Errorf("the same is said twice: %s", log.String())
	}
	cfg.Flu.OnAccepted, cfg.Flu.OnRejected = "keep", "keep"
	f.look(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if len(f.obstacles()) > 0 || !strings.Contains(log.String(), "can be used again") {
		t.Errorf("obstacles %+v, log %s", f.obstacles(), log.String())
	}
}

func TestWhatKeepsItFromStartingIsSaidWithTheRemedy(t *testing.T) {
	t.Parallel()
	good, err := config.Load(append(environ(t), "STATE_DIR="+t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	noDirectory := *good
	noDirectory.StateDir = t.TempDir() + "/file"
	if err := os.WriteFile(noDirectory.StateDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shared, err := config.Load(append(environ(t), "DATABASE_URL=postgres://u:secret-word@127.0.0.1:1/d"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  *config.Config
		err  error
		want []string
	}{
		"held by another": {good, fmt.Errorf("x: %w: pid 1 on a", journal.ErrInUse), []string{"pid 1 on a", "replicas: 1", "DATABASE_URL", "补救", "Remedy"}},
		"no database":     {shared, fmt.Errorf("%w: %w", errDatabase, errors.New("refused")), []string{"无法启动", "cannot start", "DATABASE_URL", "补救", "Remedy"}},
		"no directory":    {&noDirectory, errors.New("x"), []string{noDirectory.StateDir, "不是目录", "is not a directory", "STATE_DIR"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			explain(&b, c.cfg, c.err)
			for _, want := range c.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q in:\n%s", want, b.String())
				}
			}
			if strings.Contains(b.String(), "secret-word") {
				t.Errorf("the password is told:\n%s", b.String())
			}
		})
	}
}
