package replicas

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// nextSchema is what a next release may do to the schema: only add to it.
const nextSchema = `-- +goose Up
ALTER TABLE uploads ADD COLUMN of_the_next_release TEXT NOT NULL DEFAULT 'x';
ALTER TABLE events ADD COLUMN of_the_next_release TEXT;
CREATE TABLE only_the_next_release_knows (id BIGINT PRIMARY KEY);
`

// nextRelease builds the sidecar as a next release would be: another version,
// with one more migration.
func nextRelease(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	must(t, err)
	migration := filepath.Join(dir, "next.sql")
	must(t, os.WriteFile(migration, []byte(nextSchema), 0o600))
	overlay, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(root, "internal/journal/postgres/migrations/09999_next.sql"): migration},
	})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", filepath.Join(dir, "overlay.json"),
		"-ldflags", "-s -w -X github.com/hqms-sidecar/hqms-sidecar/internal/app.Version=next", "-o", filepath.Join(dir, "next"), "./cmd/hqms-sidecar")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the next release: %v\n%s", err, out)
	}
	return filepath.Join(dir, "next")
}

// TestReplicasOfTwoReleasesShareTheWorkWhileOneReplacesTheOther rolls two
// replicas to a next release, which changes the schema under the one that is
// left, and back again, while files come.
func TestReplicasOfTwoReleasesShareTheWorkWhileOneReplacesTheOther(t *testing.T) {
	t.Parallel()
	next := nextRelease(t)
	this := filepath.Join(filepath.Dir(sandboxBin), "hqms-sidecar")
	w := newWorld(t, 0)
	column := `SELECT count(*) FROM information_schema.columns WHERE table_name = 'uploads' AND column_name = 'of_the_next_release'`
	if n, err := w.count(column); err != nil || n != 0 {
		t.Fatalf("the schema is the next release's from the start: %d, %v", n, err)
	}
	both := []*replica{w.launchAs(this), w.launchAs(this)}
	for _, r := range both {
		w.ready(r)
	}
	digests := map[string]string{}
	files := 0
	load := func() {
		for range 20 {
			name := fmt.Sprintf("flu_%03d.csv", files)
			digests[w.drop(name, uint64(time.Now().UnixNano())+uint64(files))] = name
			files++
		}
	}
	roll := func(i int, to string) {
		load()
		must(t, both[i].Signal(syscall.SIGTERM))
		after := w.launchAs(to) // a rolling upgrade does not wait for the old one to end
		load()
		w.ready(after)
		if code := both[i].Exit(); code != 0 {
			t.Errorf("a replica ended with %d when it was told to stop:\n%s", code, both[i].Out)
		}
		both[i] = after
		load()
	}
	for _, release := range []string{next, this} {
		for i := range both {
			roll(i, release)
			if both[1-i].Ended() {
				t.Fatalf("the other replica ended:\n%s", both[1-i].Out)
			}
		}
		if n, err := w.count(column); err != nil || n != 1 {
			t.Fatalf("the next release changed nothing in the schema: %d, %v", n, err)
		}
	}
	process.Eventually(t, 2*patience, "all files are accepted", func() bool {
		n, err := w.count(`SELECT count(*) FROM uploads WHERE state = 'retired' AND verdict = 'accepted'`)
		return err == nil && n == files
	})
	arrived, archived := w.arrivals(), stored(t, filepath.Join(w.state, "archive"))
	for digest, name := range digests {
		if arrived[digest].Accepted != 1 || arrived[digest].Received != 1 || archived[digest] != 1 {
			t.Errorf("%s: received %d times, accepted %d times, %d times in the archive", name, arrived[digest].Received, arrived[digest].Accepted, archived[digest])
		}
	}
	t.Logf("%d files through a roll to the next release and back", files)
}
