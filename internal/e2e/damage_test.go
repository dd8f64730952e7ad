package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// damages are what can befall a journal while nobody uses it; dir is the state
// directory.
var damages = map[string]func(t *testing.T, dir string){
	"deleted": func(t *testing.T, dir string) {
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(dir, "journal.db"+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
	},
	"truncated": func(t *testing.T, dir string) {
		dropWAL(t, dir)
		rewrite(t, dir, func(b []byte) []byte { return b[:len(b)/3] })
	},
	"emptied": func(t *testing.T, dir string) {
		dropWAL(t, dir)
		rewrite(t, dir, func([]byte) []byte { return nil })
	},
	"garbage": func(t *testing.T, dir string) {
		rewrite(t, dir, func(b []byte) []byte { return bytes.Repeat([]byte("not a database. "), len(b)/16+1) })
	},
	"torn pages": func(t *testing.T, dir string) {
		dropWAL(t, dir)
		rewrite(t, dir, func(b []byte) []byte {
			for at := 4096; at+4096 <= len(b); at += 4096 {
				copy(b[at:at+2048], bytes.Repeat([]byte{0xA5}, 2048))
			}
			return b
		})
	},
}

// dropWAL loses what is not in the database file yet: with it SQLite would mend
// the pages it holds.
func dropWAL(t *testing.T, dir string) {
	t.Helper()
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, "journal.db"+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func rewrite(t *testing.T, dir string, change func(b []byte) []byte) {
	t.Helper()
	name := filepath.Join(dir, "journal.db")
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = os.WriteFile(name, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func damageKinds() []string {
	var kinds []string
	for kind := range damages {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// TestALostJournalIsMadeAnewAtEveryPointOfTheWay kills the sidecar at an
// operation, ruins its journal, and starts it again: whatever was done is
// neither lost nor done twice.
func TestALostJournalIsMadeAnewAtEveryPointOfTheWay(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for label, c := range map[string]crashCase{
		"accepted": {name: "flu_%s.csv", verdict: "accepted", place: "archive", received: 1, accepted: 1, stride: 2},
		"rejected": {name: "flu_reject_%s.csv", verdict: "rejected", place: "quarantine", received: 1, stride: 5},
		"invalid":  {name: "flu_%s.csv", bad: 1, verdict: "invalid", place: "quarantine", stride: 5},
		"deleted":  {name: "flu_%s.csv", verdict: "accepted", place: "deleted", received: 1, accepted: 1, stride: 7, set: []string{"FLU_ON_ACCEPTED=delete"}},
		"kept":     {name: "flu_%s.csv", verdict: "accepted", place: "watch", received: 1, accepted: 1, stride: 5, set: []string{"FLU_ON_ACCEPTED=keep"}},
	} {
		for kind, stride := range map[string]int{"journal": min(c.stride, 3) - 1, "files": c.stride} { // of the main way every operation of the journal
			c.between = func(t *testing.T, r *rig, nth int64) {
				kinds := damageKinds()
				kind := kinds[int(nth)%len(kinds)] // each kind on each way: there are more points than kinds
				t.Logf("journal %s", kind)
				damages[kind](t, r.state)
			}
			t.Run(label+" "+kind, func(t *testing.T) {
				t.Parallel()
				everyPoint(t, srv, c, kind, stride)
			})
		}
	}
}

func TestADamagedJournalIsSetAsideAndSaidSo(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for _, kind := range damageKinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, srv)
			r.start()
			var digests []string
			for n := range 3 {
				name := fmt.Sprintf("flu_%d.csv", n)
				digests = append(digests, drop(t, r.flu, name, good(t)))
				r.endsWith(name, "accepted")
			}
			bad := drop(t, r.flu, "flu_bad.csv", fileOf(t, "flu", 2, 1))
			before := r.endsWith("flu_bad.csv", "invalid")
			if err := r.proc.Terminate(); err != nil { // all of it is in the database file then
				t.Fatal(err)
			}
			damages[kind](t, r.state)
			r.start()
			if kind != "deleted" && kind != "emptied" {
				if aside, _ := filepath.Glob(filepath.Join(r.state, "journal.db.damaged-*")); len(aside) == 0 {
					t.Errorf("the damaged journal is not set aside: %v", aside)
				}
			}
			var status struct {
				Rebuilt *struct{ At, Damaged string } `json:"journal_rebuilt"`
			}
			if r.call("GET", "/status", nil, &status); status.Rebuilt == nil || status.Rebuilt.At == "" {
				t.Errorf("the status does not say that the journal was made anew")
			}
			if out := r.proc.Out.String(); !strings.Contains(out, "JOURNAL REBUILT") {
				t.Errorf("the log does not say so either")
			}
			for n, digest := range digests {
				u := r.endsWith(fmt.Sprintf("flu_%d.csv", n), "accepted")
				r.mustBeOnlyAt(u, digest, "archive")
				srv.mustHave(digest, 1, 1)
			}
			after := r.endsWith("flu_bad.csv", "invalid")
			r.mustBeOnlyAt(after, bad, "quarantine")
			if after.ID != before.ID || after.SpottedAt != before.SpottedAt {
				t.Errorf("another upload: %+v, was %+v", after, before)
			}
			again, err := os.ReadFile(filepath.Join(r.state, r.upload("flu_0.csv").Path))
			if err != nil {
				t.Fatal(err)
			}
			drop(t, r.flu, "flu_again.csv", again)
			r.endsWith("flu_again.csv", "duplicate")
			srv.mustHave(digests[0], 1, 1)
		})
	}
}

// TestAJournalPutBackFromAnOlderCopyIsBroughtUpToDate: what operators do in an
// emergency must not send anything twice.
func TestAJournalPutBackFromAnOlderCopyIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	drop(t, r.flu, "flu_old.csv", good(t))
	r.endsWith("flu_old.csv", "accepted")
	if err := r.proc.Terminate(); err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(filepath.Join(r.state, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	content := good(t)
	digest := drop(t, r.flu, "flu_new.csv", content)
	r.endsWith("flu_new.csv", "accepted")
	r.proc.Kill()
	dropWAL(t, r.state)
	rewrite(t, r.state, func([]byte) []byte { return copied })
	r.start()
	r.endsWith("flu_old.csv", "accepted")
	u := r.endsWith("flu_new.csv", "accepted")
	r.mustBeOnlyAt(u, digest, "archive")
	drop(t, r.flu, "flu_again.csv", content)
	r.endsWith("flu_again.csv", "duplicate")
	srv.mustHave(digest, 1, 1)
}

// TestAJournalDamagedWhileInUseIsMadeAnewByTheSameProcess: no restart by hand.
func TestAJournalDamagedWhileInUseIsMadeAnewByTheSameProcess(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	first := drop(t, r.flu, "flu_1.csv", good(t))
	r.endsWith("flu_1.csv", "accepted")
	if err := r.proc.Terminate(); err != nil { // so that all is in the database file
		t.Fatal(err)
	}
	r.start()
	f, err := os.OpenFile(filepath.Join(r.state, "journal.db"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(4096); at < info.Size(); at += 4096 { // all but the header
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xA5}, 2048), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	second := drop(t, r.flu, "flu_2.csv", good(t))
	eventually(t, "the journal is made anew", func() bool {
		r.call("GET", "/uploads?limit=100", nil, nil) // somebody looks
		return strings.Contains(r.proc.Out.String(), "JOURNAL REBUILT") || r.proc.Ended()
	})
	r.mustRun()
	eventually(t, "it listens again", func() bool {
		all := listeningAt.FindAllStringSubmatch(r.proc.Out.String(), -1)
		if len(all) > 1 {
			r.base = "http://" + all[len(all)-1][1]
		}
		return len(all) > 1
	})
	u := r.endsWith("flu_2.csv", "accepted")
	r.mustBeOnlyAt(u, second, "archive")
	r.mustBeOnlyAt(r.endsWith("flu_1.csv", "accepted"), first, "archive")
	srv.mustHave(first, 1, 1)
	srv.mustHave(second, 1, 1)
}
