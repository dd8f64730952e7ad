package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

func TestAFileWithAWriterIsNotSentHoweverLongItPauses(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv, "QUIET_PERIOD=20ms")
	r.start()
	content := fileOf(t, "flu", 40, 0)
	path := filepath.Join(r.flu, "flu_slow.csv")
	f, err := os.Create(path)
	check(t, err)
	const pieces = 5
	for i := range pieces {
		_, err := f.Write(content[len(content)*i/pieces : len(content)*(i+1)/pieces])
		check(t, err)
		u := r.until("flu_slow.csv", "is seen with its writer", func(u row) bool {
			return u.Reason == "writer_open" && u.Size == int64(len(content)*(i+1)/pieces)
		})
		if u.State != "spotted" {
			t.Errorf("state %s while it is written", u.State)
		}
	}
	check(t, f.Close())
	u := r.endsWith("flu_slow.csv", "accepted")
	if len(r.uploads("flu_slow.csv")) != 1 || u.Digest != digestOf(content) {
		t.Errorf("not taken once and whole: %+v", u)
	}
	srv.mustHave(digestOf(content), 1, 1)
	if n := len(srv.report().Items); n != 1 {
		t.Errorf("the server got %d deliveries", n)
	}
}

func TestAFileReopenedForEachPortionIsSentWholeOnly(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv, "QUIET_PERIOD=4s") // far beyond what a busy machine adds to the pauses
	r.start()
	content := fileOf(t, "lis", 20, 0)
	path := filepath.Join(r.flu, "lis_reopened.csv")
	const pieces = 4
	for i := range pieces {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		check(t, err)
		_, err = f.Write(content[len(content)*i/pieces : len(content)*(i+1)/pieces])
		check(t, err)
		check(t, f.Close())
		r.until("lis_reopened.csv", "is looked at", func(u row) bool { return u.Size == int64(len(content)*(i+1)/pieces) })
	}
	r.endsWith("lis_reopened.csv", "accepted")
	srv.mustHave(digestOf(content), 1, 1)
	if n := len(srv.report().Items); n != 1 {
		t.Errorf("the server got %d deliveries", n)
	}
}

// halted puts a file in place and freezes the sidecar in the middle of reading
// it, for as long as then takes. It reports whether it came in time.
func (r *rig) halted(name string, content []byte, then func(path string)) (caught bool) {
	r.t.Helper()
	path := filepath.Join(r.flu, name)
	drop(r.t, r.flu, name, content)
	signal := func(s syscall.Signal) { check(r.t, r.proc.Signal(s)) }
	within := func() bool {
		pos := reading(r.proc, path)
		return pos > 0 && pos < int64(len(content))
	}
	eventually(r.t, name+" is read", func() bool {
		for range 200 { // much faster than eventually's own beat
			if within() {
				signal(syscall.SIGSTOP)
				if caught = within(); caught {
					return true
				}
				signal(syscall.SIGCONT)
			}
			if _, err := os.Lstat(path); err != nil {
				return true // all over already
			}
		}
		return false
	})
	if caught {
		then(path)
		signal(syscall.SIGCONT)
	}
	return caught
}

// reading is how far a process has read in a file; -1: it has not opened it.
func reading(p *process.Process, path string) int64 {
	proc := fmt.Sprintf("/proc/%d/", p.PID())
	open, _ := os.ReadDir(proc + "fd")
	for _, fd := range open {
		if to, err := os.Readlink(proc + "fd/" + fd.Name()); err != nil || to != path {
			continue
		}
		info, _ := os.ReadFile(proc + "fdinfo/" + fd.Name())
		var pos int64
		if _, err := fmt.Sscanf(string(info), "pos: %d", &pos); err == nil {
			return pos
		}
	}
	return -1
}

func TestAFileChangedWhileItIsReadIsTakenAgainAndNeverSentMixed(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv, "FLU_BLOCK_ON=never") // else a mixed row would be held back for its own sake
	r.start()
	header, rows, _ := bytes.Cut(fileOf(t, "flu", 6000, 0), []byte("\n"))
	lines := bytes.SplitAfter(rows, []byte("\n"))
	caught := false
	for i := 0; i < 10 && !caught; i++ {
		name := fmt.Sprintf("flu_%d.csv", i)
		// Never the same content twice, but always of the same size: what is
		// mixed of the two cannot be told by counting bytes.
		before, after := turned(header, lines, 2*i), turned(header, lines, 2*i+1)
		caught = r.halted(name, before, func(path string) { // rewritten in place
			check(t, os.WriteFile(path, after, 0o644))
		})
		if !caught {
			continue
		}
		r.until(name, "is taken as it is now", func(u row) bool { return u.over() && u.Digest == digestOf(after) })
		for _, a := range srv.report().Items {
			if a.Filename == name && a.Digest != digestOf(after) {
				t.Errorf("%s was sent as what it never was, or was no longer", name)
			}
		}
		srv.mustHave(digestOf(after), 1, 1)
	}
	if !caught {
		t.Error("the file was never caught while being read")
	}
}

// turned is the file with its rows begun at the n-th.
func turned(header []byte, lines [][]byte, n int) []byte {
	content := append(bytes.Clone(header), '\n')
	for i := range lines {
		content = append(content, lines[(i+n)%len(lines)]...)
	}
	return content
}

func TestAFileDeletedWhileItIsReadIsOnRecordAsVanished(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	header, rows, _ := bytes.Cut(fileOf(t, "flu", 6000, 0), []byte("\n"))
	lines := bytes.SplitAfter(rows, []byte("\n"))
	for i := range 10 {
		name := fmt.Sprintf("flu_%d.csv", i)
		r.seen.mine(name)
		if !r.halted(name, turned(header, lines, i), func(path string) { check(t, os.Remove(path)) }) {
			continue
		}
		if u := r.ended(name); u.State != "vanished" || u.Reason != "source_vanished" || u.Place != "gone" {
			t.Errorf("state %s, reason %s, place %s", u.State, u.Reason, u.Place)
		}
		digest := drop(t, r.flu, "flu_good.csv", good(t))
		r.endsWith("flu_good.csv", "accepted")
		srv.mustHave(digest, 1, 1)
		return
	}
	t.Error("the file was never caught while being read")
}

func TestAnOriginalChangedAfterItWasSentStaysAndIsSentAsWhatItIsNow(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.call("POST", "pause", nil, nil)
	r := newRig(t, srv)
	r.start()
	first, second := good(t), good(t)
	drop(t, r.flu, "flu_1.csv", first)
	sent := r.until("flu_1.csv", "is sent", func(u row) bool { return u.State == "sent" })
	check(t, os.WriteFile(filepath.Join(r.flu, "flu_1.csv"), second, 0o644))
	srv.call("POST", "resume", nil, nil)
	r.until("flu_1.csv", "is taken again", func(u row) bool { return u.over() && u.Digest == digestOf(second) })
	if u := r.detail(sent.ID); u.Verdict != "accepted" || u.Reason != "original_changed" {
		t.Errorf("the first: verdict %s, reason %s", u.Verdict, u.Reason)
	}
	u := r.endsWith("flu_1.csv", "accepted")
	r.mustBeOnlyAt(u, digestOf(second), "archive")
	srv.mustHave(digestOf(first), 1, 1)
	srv.mustHave(digestOf(second), 1, 1)
}

func TestAMarkerTellsThatAFileIsCompleteAndGoesWithIt(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv, "SETTLE=marker", "QUIET_PERIOD=10ms")
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	r.until("flu_1.csv", "waits for its marker", func(u row) bool { return u.State == "spotted" && u.Reason == "marker_missing" })
	check(t, os.WriteFile(filepath.Join(r.flu, "flu_1.csv.ok"), nil, 0o644))
	u := r.endsWith("flu_1.csv", "accepted")
	r.mustBeOnlyAt(u, digest, "archive")
	srv.mustHave(digest, 1, 1)
	if _, err := os.Lstat(filepath.Join(r.flu, "flu_1.csv.ok")); err == nil {
		t.Error("the marker was left behind")
	}
}

func TestAFileIsFoundThoughNoEventToldOfIt(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	parent := t.TempDir()
	dir := filepath.Join(parent, "flu") // a link, as to the current one of several volumes
	for _, sub := range []string{"a", "b"} {
		check(t, os.Mkdir(filepath.Join(parent, sub), 0o755))
	}
	check(t, os.Symlink("a", dir))
	r := newRigAt(t, srv, dir, "")
	r.start()
	digests := map[string]string{"flu_1.csv": drop(t, dir, "flu_1.csv", good(t))}
	r.endsWith("flu_1.csv", "accepted")
	// The link now leads to another directory, with a file in it: nothing has
	// happened in the one whose events are listened to.
	digests["flu_2.csv"] = drop(t, filepath.Join(parent, "b"), "flu_2.csv", good(t))
	check(t, os.Symlink("b", filepath.Join(parent, "next")))
	check(t, os.Rename(filepath.Join(parent, "next"), dir))
	r.endsWith("flu_2.csv", "accepted")
	for _, d := range digests {
		srv.mustHave(d, 1, 1)
	}
}
