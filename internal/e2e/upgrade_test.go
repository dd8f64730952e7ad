package e2e

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

// oldState is the state directory of a release, as it was left by SIGTERM: one
// upload accepted, one held back, one packed and waiting for the server, one
// that a crashed exporter left unfinished. It is kept for good. Another is made
// beside it, never in its place, with HQMS_MAKE_STATE=<directory>.
const oldState = "testdata/state-v0"

// TestTheStateOfAnOlderReleaseIsTakenOver opens it with this release: what it
// knew is known, what was open is finished, nothing is sent twice.
func TestTheStateOfAnOlderReleaseIsTakenOver(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	newest := newestSchema(t)
	if was := schemaOf(t, filepath.Join(oldState, "state")); was >= newest {
		t.Fatalf("the old state has schema %d, this release's is %d: nothing is upgraded", was, newest)
	}
	// It grows older with every day, and must not expire.
	r := newRig(t, srv, "ARCHIVE_RETENTION=876000h", "QUARANTINE_RETENTION=876000h", "JOURNAL_RETENTION=876000h")
	if made := os.Getenv("HQMS_MAKE_STATE"); made != "" {
		makeState(t, newServer(t), made)
	}
	copyTree(t, filepath.Join(oldState, "state"), r.state)
	copyTree(t, filepath.Join(oldState, "flu"), r.flu)
	r.seen.mine("flu_open.csv")
	open, err := os.ReadFile(filepath.Join(r.flu, "flu_open.csv"))
	if err != nil {
		t.Fatal(err)
	}
	done, err := os.ReadFile(filepath.Join(oldState, "done.csv"))
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	u := r.endsWith("flu_done.csv", "accepted")
	r.mustBeOnlyAt(u, digestOf(done), "archive")
	if n := len(r.detail(u.ID).Events); n < 7 {
		t.Errorf("%d events of an old upload", n)
	}
	r.endsWith("flu_bad.csv", "invalid")
	eventually(t, "what was open is delivered", func() bool { _, accepted := srv.content(digestOf(open)); return accepted == 1 })
	// The copy is another file than the one that settled: the old upload leaves it
	// alone, and the new one of it finds its content delivered.
	r.until("flu_open.csv", "is put away", func(u row) bool { return u.State == "retired" && u.Place == "archive" })
	srv.mustHave(digestOf(open), 1, 1)
	drop(t, r.flu, "flu_again.csv", done)
	r.endsWith("flu_again.csv", "duplicate")
	srv.mustHave(digestOf(done), 0, 0)
	r.mustHaveEmptySpool()
	if err := r.proc.Terminate(); err != nil {
		t.Fatal(err)
	}
	if is := schemaOf(t, r.state); is != newest {
		t.Errorf("the schema is %d after the upgrade, want %d", is, newest)
	}
}

// schemaOf is the version of the schema in a state directory that nobody uses.
func schemaOf(t *testing.T, state string) (version int64) {
	t.Helper()
	at, err := filepath.Abs(filepath.Join(state, "journal.db"))
	check(t, err)
	db, err := sql.Open("sqlite", "file:"+at+"?mode=ro&immutable=1")
	check(t, err)
	defer db.Close()
	check(t, db.QueryRowContext(t.Context(), `SELECT max(version_id) FROM goose_db_version WHERE is_applied`).Scan(&version))
	return version
}

// newestSchema is the number of this release's newest migration.
func newestSchema(t *testing.T) int64 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "journal", "sqlite", "migrations", "*.sql"))
	check(t, err)
	if len(files) == 0 {
		t.Fatal("there are no migrations")
	}
	number, _, _ := strings.Cut(filepath.Base(slices.Max(files)), "_")
	newest, err := strconv.ParseInt(number, 10, 64)
	check(t, err)
	return newest
}

// makeState makes such a directory with this release.
func makeState(t *testing.T, srv *server, to string) {
	t.Helper()
	maker := newRig(t, srv, "HQMS_WATCH_DIR=", "HQMS_ACCOUNT=", "HQMS_PASSWORD=", "HQMS_SERVER_URL=")
	maker.start()
	done := good(t)
	drop(t, maker.flu, "flu_done.csv", done)
	maker.endsWith("flu_done.csv", "accepted")
	drop(t, maker.flu, "flu_bad.csv", fileOf(t, "flu", 2, 1))
	maker.endsWith("flu_bad.csv", "invalid")
	srv.fault(sandbox.Fault{Step: "gettoken", Kind: "status", Code: 503})
	drop(t, maker.flu, "flu_open.csv", good(t))
	maker.until("flu_open.csv", "waits for the server", func(u row) bool { return u.Attempt > 0 })
	if err := maker.proc.Terminate(); err != nil {
		t.Fatal(err)
	}
	copyTree(t, maker.state, filepath.Join(to, "state"))
	copyTree(t, maker.flu, filepath.Join(to, "flu"))
	if err := errors.Join(os.WriteFile(filepath.Join(to, "done.csv"), done, 0o644), os.Remove(filepath.Join(to, "state", "journal.lock"))); err != nil {
		t.Fatal(err)
	}
}

// copyTree copies files and directories.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
