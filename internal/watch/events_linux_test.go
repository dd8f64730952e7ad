package watch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// These tests use a real directory and the events of the operating system. The
// rescan is set so far away that only events can explain what is found.

const patience = 10 * time.Second

type real struct {
	path   string
	ledger *fakeLedger
	w      *Watcher
	nudged chan string
}

func inRealDirectory(t *testing.T, change func(*Options)) *real {
	t.Helper()
	path := filepath.Join(t.TempDir(), "volume", "export")
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := durable.Open(path, durable.WithLazy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	r := &real{path: path, ledger: newFakeLedger(), nudged: make(chan string, 1000)}
	o := Options{
		Channel: upload.Flu, Dir: From(dir), Kinds: kinds, Ledger: r.ledger, Rescan: time.Hour,
		Nudge: func(_ upload.Channel, name string) { r.nudged <- name },
	}
	if change != nil {
		change(&o)
	}
	r.w = New(o)
	return r
}

func (r *real) file(name string) string { return filepath.Join(r.path, name) }

func (r *real) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(r.file(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *real) rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func (r *real) look(t *testing.T, name string) upload.Identity {
	t.Helper()
	id, err := r.w.opts.Dir.Look(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (r *real) awaitTold(t *testing.T, names ...string) {
	t.Helper()
	r.ledger.await(t, patience, func(told []upload.Sighting) bool {
		for _, name := range names {
			if !slices.ContainsFunc(told, func(s upload.Sighting) bool { return s.Filename == name }) {
				return false
			}
		}
		return true
	})
}

func (r *real) awaitNudge(t *testing.T, name string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case got := <-r.nudged:
			if got == name {
				return
			}
		case <-late:
			t.Fatalf("no nudge of %s", name)
		}
	}
}

// until waits for a condition that has no signal.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	for !ok() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-late:
			t.Fatalf("waited %v: %s", patience, what)
		}
	}
}

// armed waits until the watch is set up and its self-test is over.
func (r *real) armed(t *testing.T) {
	t.Helper()
	until(t, "self-test", func() bool { return r.w.Status().SelfTest == TestOK })
}

func TestSelfTestPassesAndLeavesNothing(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, nil)
	start(t, r.w)
	r.armed(t)
	s := r.w.Status()
	if s.Events == EventsOff || s.EventsDetail != "" || s.FileSystem == "" || s.LastScan.IsZero() {
		t.Errorf("status is %+v", s)
	}
	left, err := os.ReadDir(r.path)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestEventsCanBeTestedBeforeTheStart(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := TestEvents(ctx, r.w.opts.Dir); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(r.path); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := TestEvents(ctx, newFakeDir()); err == nil {
		t.Error("a directory that is not there passed")
	}
}

func TestStaleCanaryIsSwept(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, nil)
	r.write(t, canaryPrefix+"old", "")
	r.write(t, canaryPrefix+"young", "")
	long := time.Now().Add(-2 * canaryStale)
	if err := os.Chtimes(r.file(canaryPrefix+"old"), long, long); err != nil {
		t.Fatal(err)
	}
	start(t, r.w)
	r.armed(t)
	left, _ := filepath.Glob(r.file(canaryPrefix + "*"))
	if len(left) != 1 || filepath.Base(left[0]) != canaryPrefix+"young" {
		t.Errorf("left: %v", left)
	}
}

func TestRenameIntoPlaceIsKnownForCertain(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, nil)
	start(t, r.w)
	r.armed(t)
	outside := filepath.Join(t.TempDir(), "x.tmp")
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.write(t, "flu_in.csv.tmp", "x")
	r.rename(t, r.file("flu_in.csv.tmp"), r.file("flu_in.csv"))
	r.write(t, "other.dat", "x")
	r.rename(t, r.file("other.dat"), r.file("flu_other.csv"))
	r.write(t, ownPrefix+"1.aside", "x")
	r.rename(t, r.file(ownPrefix+"1.aside"), r.file("flu_back.csv"))
	r.rename(t, outside, r.file("flu_outside.csv"))
	r.write(t, "flu_plain.csv", "x")
	r.awaitTold(t, "flu_in.csv", "flu_other.csv", "flu_back.csv", "flu_outside.csv", "flu_plain.csv")
	for name, want := range map[string]bool{
		"flu_in.csv": true, "flu_other.csv": false, "flu_back.csv": false, "flu_outside.csv": false, "flu_plain.csv": false,
	} {
		if got := r.w.RenamedIntoPlace(name, r.look(t, name)); got != want {
			t.Errorf("%s: renamed into place %t, want %t", name, got, want)
		}
	}
	if r.w.RenamedIntoPlace("flu_in.csv", upload.Identity{}) {
		t.Error("it counts for another content too")
	}
	f, err := os.OpenFile(r.file("flu_in.csv"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close() // nothing written: the identity stays
	id := r.look(t, "flu_in.csv")
	until(t, "a writer's close takes the hint back", func() bool { return !r.w.RenamedIntoPlace("flu_in.csv", id) })
}

func TestClosesRenamesAndMarkersNudge(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, nil)
	start(t, r.w)
	r.armed(t)
	f, err := os.Create(r.file("flu_a.csv"))
	if err != nil {
		t.Fatal(err)
	}
	r.awaitTold(t, "flu_a.csv")
	_, _ = f.WriteString("x")
	_ = f.Close()
	r.awaitNudge(t, "flu_a.csv")
	r.write(t, "flu_a.tmp", "y")
	r.rename(t, r.file("flu_a.tmp"), r.file("flu_a.csv"))
	r.awaitNudge(t, "flu_a.csv")
	drain(r.nudged)
	r.write(t, "flu_a.ok", "")
	r.awaitNudge(t, "flu_a.csv")
}

func drain(c chan string) {
	for len(c) > 0 {
		<-c
	}
}

func TestDirectoryMadeAnewIsWatchedAgain(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, func(o *Options) { o.Rescan = 50 * time.Millisecond })
	start(t, r.w)
	r.armed(t)
	if err := os.RemoveAll(r.path); err != nil {
		t.Fatal(err)
	}
	until(t, "missing", func() bool { return r.w.Status().Reason == upload.WatchDirMissing })
	if err := os.Mkdir(r.path, 0o700); err != nil {
		t.Fatal(err)
	}
	r.write(t, "flu_a.csv", "x")
	r.awaitTold(t, "flu_a.csv")
	r.armed(t)
	// another volume takes its place, of which no event tells
	other := filepath.Join(t.TempDir(), "other")
	if err := os.MkdirAll(filepath.Join(other, "export"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "export", "flu_b.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Renameat2(unix.AT_FDCWD, other, unix.AT_FDCWD, filepath.Dir(r.path), unix.RENAME_EXCHANGE); err != nil {
		t.Fatal(err)
	}
	r.awaitTold(t, "flu_b.csv")
	r.armed(t)
	r.write(t, "flu_c.csv.tmp", "x")
	r.rename(t, r.file("flu_c.csv.tmp"), r.file("flu_c.csv"))
	r.awaitTold(t, "flu_c.csv")
	until(t, "events come from the new one", func() bool { return r.w.RenamedIntoPlace("flu_c.csv", r.look(t, "flu_c.csv")) })
}

func TestOverflowIsMadeGoodByARescan(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, nil)
	r.ledger.block = make(chan struct{}) // the first file gets the watch stuck in the journal
	start(t, r.w)
	r.armed(t)
	r.write(t, "flu_first.csv", "x")
	until(t, "the first file is pending no more", func() bool { return r.ledger.waiting.Load() })
	r.write(t, "a.tmp", "x")
	for range 10_000 { // four events each: more than the kernel and we keep together
		r.rename(t, r.file("a.tmp"), r.file("b.tmp"))
		r.rename(t, r.file("b.tmp"), r.file("a.tmp"))
	}
	r.write(t, "flu_late.csv", "x")
	close(r.ledger.block)
	r.awaitTold(t, "flu_first.csv", "flu_late.csv")
	if r.w.Status().Overflows == 0 {
		t.Skip("the kernel's queue holds more than this test makes")
	}
	r.armed(t)
}

func TestFilesFoundTogetherAreABatch(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, nil)
	start(t, r.w)
	r.armed(t)
	for i := range 20 {
		r.write(t, fmt.Sprintf("flu_%d.csv", i), "x")
	}
	r.ledger.await(t, patience, func(told []upload.Sighting) bool { return len(told) >= 20 })
	for _, s := range r.ledger.sightings() {
		if s.BatchID != r.ledger.sightings()[0].BatchID {
			t.Fatal("a burst was split")
		}
	}
}

func TestFileIsToldWithinMilliseconds(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, nil)
	start(t, r.w)
	r.armed(t)
	var took []time.Duration
	for i := range 50 {
		name := fmt.Sprintf("flu_%d.csv", i)
		r.write(t, name+".tmp", "x")
		began := time.Now()
		r.rename(t, r.file(name+".tmp"), r.file(name))
		r.awaitTold(t, name)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("median %v, p90 %v, worst %v", took[25], took[45], took[49])
	if took[25] > 50*time.Millisecond {
		t.Errorf("median %v", took[25])
	}
}

func TestRescanOfManyKnownFilesAsksNobody(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, func(o *Options) { o.NoEvents = true })
	const many = 5_000
	for i := range many {
		r.write(t, fmt.Sprintf("flu_%d.csv", i), "")
	}
	o := newOwner(r.w)
	o.rescan(time.Now())
	o.learn()
	o.rescan(time.Now())
	if o.pending.len() > 0 {
		t.Errorf("%d files are asked about again", o.pending.len())
	}
	t.Logf("a rescan of %d known files took %v", many, o.scanTook)
}
