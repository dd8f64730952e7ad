package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func sighting(name string) upload.Sighting {
	return upload.Sighting{Channel: upload.Flu, Kind: "flu", Filename: name, Seen: upload.Identity{Size: 1}, At: start}
}

func TestSecondOpenerIsToldWhoHoldsTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openIn(t, dir, journal.Options{})
	_, err := sqlite.Open(t.Context(), dir, journal.Options{})
	if !errors.Is(err, journal.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d on", os.Getpid())) {
		t.Fatalf("second opener: %v, want ErrInUse with the holder's pid", err)
	}
	if _, _, err := j.Spot(t.Context(), sighting("flu_1.csv")); err != nil {
		t.Fatalf("the first opener was disturbed: %v", err)
	}
}

// TestMain's helper process: opens the journal, says so, and waits to be killed.
func holdUntilKilled(dir string) {
	j, err := sqlite.Open(context.Background(), dir, journal.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	u, _, err := j.Spot(context.Background(), sighting("flu_killed.csv"))
	fmt.Fprintln(os.Stdout, "holding", u.ID, err)
	select {}
}

func TestKilledProcessLeavesJournalWholeAndFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), holdEnv+"="+dir)
	other.Stderr = os.Stderr
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var id, fault string
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := fmt.Sscanf(line, "holding %s %s", &id, &fault); n != 2 || fault != "<nil>" {
		t.Fatalf("the other process says %q", line)
	}
	if _, err = sqlite.Open(t.Context(), dir, journal.Options{}); !errors.Is(err, journal.ErrInUse) ||
		!strings.Contains(err.Error(), fmt.Sprintf("pid %d on", other.Process.Pid)) {
		t.Fatalf("beside a living holder: %v, want ErrInUse with its pid", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	j := openIn(t, dir, journal.Options{})
	if _, err := j.Get(t.Context(), upload.ID(id)); err != nil {
		t.Fatalf("what the killed process acknowledged: %v", err)
	}
	if err := j.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestJournalOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := sqlite.Open(t.Context(), dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	u, _, err := first.Spot(t.Context(), sighting("flu_1.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := openIn(t, dir, journal.Options{}).Get(t.Context(), u.ID)
	if err != nil || got != u {
		t.Fatalf("after a restart: %v, %v, want %v", got, err, u)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openIn(t, dir, journal.Options{})
	if _, _, err := j.Spot(t.Context(), sighting("flu_1.csv")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 4 {
		t.Errorf("files: %v, want database, WAL, shared memory and lock", entries)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
}

func TestOddDirectoryNamesWork(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "状态 100%?x=1&_pragma=journal_mode(DELETE)#a")
	openIn(t, dir, journal.Options{})
	if _, err := os.Stat(filepath.Join(dir, sqlite.FileName)); err != nil {
		t.Fatal(err)
	}
}

func TestEveryWritingConnectionIsDurable(t *testing.T) {
	t.Parallel()
	j := openIn(t, t.TempDir(), journal.Options{})
	j.DB().SetMaxIdleConns(0) // from now on every statement gets a new connection
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "temp_store": "2",
	} {
		var got string
		if err := j.DB().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q (%v), want %q", pragma, got, err, want)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := sqlite.Open(t.Context(), dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.DB().ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the refusal leaves the directory free
		if _, err := sqlite.Open(t.Context(), dir, journal.Options{}); !errors.Is(err, journal.ErrTooNew) {
			t.Fatalf("%v, want ErrTooNew", err)
		}
	}
}

func TestDamageIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(b []byte) []byte{
		"no database":   func([]byte) []byte { return []byte(strings.Repeat("not a database, ", 1000)) },
		"truncated":     func(b []byte) []byte { return b[:len(b)/2] },
		"pages of zero": func(b []byte) []byte { return append(b[:4096:4096], make([]byte, len(b)-4096)...) },
		"torn page": func(b []byte) []byte {
			for at := 4096; at < len(b); at += 4096 {
				copy(b[at+8:], "\xff\xff\xff\xff")
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j, err := sqlite.Open(t.Context(), dir, journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 50 {
				if _, _, err := j.Spot(t.Context(), sighting(fmt.Sprintf("flu_%d.csv", i))); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, sqlite.FileName)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = sqlite.Open(t.Context(), dir, journal.Options{})
			if !errors.Is(err, journal.ErrDamaged) {
				t.Fatalf("%v, want ErrDamaged", err)
			}
			if _, err = sqlite.Open(t.Context(), dir, journal.Options{}); errors.Is(err, journal.ErrInUse) {
				t.Fatal("the directory is still locked")
			}
		})
	}
}

func TestDamageOfARunningJournalIsFound(t *testing.T) {
	t.Parallel()
	j := openIn(t, t.TempDir(), journal.Options{})
	if err := j.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	u, _, err := j.Spot(ctx, sighting("flu_1.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`PRAGMA ignore_check_constraints = 1`, `UPDATE uploads SET attempt = -1 WHERE id = '` + string(u.ID) + `'`} {
		if _, err := j.DB().ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Verify(ctx); !errors.Is(err, journal.ErrDamaged) {
		t.Fatalf("%v, want ErrDamaged", err)
	}
}

func TestUnwritableDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), filepath.Join(file, "state"), journal.Options{}); err == nil {
		t.Fatal("opened under a file")
	}
}
