package pack_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// noise is text that does not compress.
func noise(n int) string {
	b, r := make([]byte, n), rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func TestTheSpoolLimitHoldsAndLetsGoAgain(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	s := stage(t, spool, func(o *pack.Options) { o.Limit = 1 << 20 })
	first, err := packAll(s, settled(idA), noise(700<<10), 4096)
	if err != nil {
		t.Fatal(err)
	}
	_, err = packAll(s, settled(idB), noise(700<<10), 4096)
	if f := upload.AsFault(err); err == nil || f.Class != upload.Local || f.Reason != upload.SpoolFull {
		t.Fatalf("got %v", err)
	}
	if got := ls(t, spool); got != idA+".zip.part" {
		t.Errorf("the partial copy stayed: %s", got)
	}
	if used, err := s.Used(); err != nil || used != first.PackedSize {
		t.Errorf("used %d of %d, %v", used, first.PackedSize, err)
	}
	if err := s.Remove(first); err != nil {
		t.Fatal(err)
	}
	if _, err := packAll(s, settled(idB), noise(700<<10), 4096); err != nil {
		t.Errorf("after room was made: %v", err)
	}
}

func TestAFullSpoolIsSaidAtTheBeginningAndCountedAnew(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	durabletest.Write(t, filepath.Join(spool, idB+".zip"), noise(2000))
	s := stage(t, spool, func(o *pack.Options) { o.Limit = 2000 })
	if _, err := s.Begin(t.Context(), settled(idA)); err == nil || upload.AsFault(err).Reason != upload.SpoolFull {
		t.Errorf("got %v", err)
	}
	if err := durabletest.Dir(t, spool).Remove(idB + ".zip"); err != nil { // by another replica
		t.Fatal(err)
	}
	if _, err := packAll(s, settled(idA), csvText, 10); err != nil {
		t.Errorf("after another replica made room: %v", err)
	}
}

func TestTheDiskReserveIsKept(t *testing.T) {
	t.Parallel()
	path, ok := durabletest.Tmpfs(t, "size=16m")
	if !ok {
		t.Log("no right to mount: the table of full disks stands alone")
		return
	}
	s := stage(t, path, func(o *pack.Options) { o.Reserve = 6 << 20 })
	_, err := packAll(s, settled(idA), noise(15<<20), 1<<16)
	if f := upload.AsFault(err); err == nil || f.Class != upload.Local || f.Reason != upload.DiskFull {
		t.Errorf("got %v", err)
	}
	if got := ls(t, path); got != "" {
		t.Errorf("the partial copy stayed: %s", got)
	}
	s = stage(t, path, func(o *pack.Options) { o.Reserve = 17 << 20 })
	if _, err := s.Begin(t.Context(), settled(idA)); err == nil || upload.AsFault(err).Reason != upload.DiskFull {
		t.Errorf("at the beginning: got %v", err)
	}
}

func TestAFullDiskSurfacesAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, op := range []durable.Op{durable.OpCreate, durable.OpWrite, durable.OpSync, durable.OpClose} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			spool := t.TempDir()
			s := stage(t, spool, func(o *pack.Options) { o.Small = 1 }, durable.WithHook(durabletest.Failing(op, syscall.ENOSPC)))
			_, err := packAll(s, settled(idA), csvText, 10)
			if f := upload.AsFault(err); err == nil || f.Class != upload.Local || f.Reason != upload.DiskFull {
				t.Errorf("got %v", err)
			}
			if got := ls(t, spool); got != "" {
				t.Errorf("the partial copy stayed: %s", got)
			}
			if used, err := s.Used(); err != nil || used != 0 {
				t.Errorf("used: %d, %v", used, err)
			}
		})
	}
}

func TestMemoryDoesNotGrowWithTheFile(t *testing.T) { // not parallel: it counts allocations
	s := stage(t, t.TempDir(), nil)
	if _, err := packAll(s, settled(idA), csvText, 100); err != nil { // warms the pool
		t.Fatal(err)
	}
	chunk := []byte(noise(1 << 20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := s.Begin(t.Context(), settled(idB))
	if err != nil {
		t.Fatal(err)
	}
	for range 48 {
		if _, err := p.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("48 MiB cost %d bytes of memory", grown)
	}
}

func TestPackingGoesOnAfterEveryCrash(t *testing.T) {
	t.Parallel()
	t.Run("small", func(t *testing.T) {
		t.Parallel()
		packingGoesOn(t, nil, 8)
	})
	t.Run("large", func(t *testing.T) {
		t.Parallel()
		packingGoesOn(t, func(o *pack.Options) { o.Small = 1 }, 10)
	})
}

func packingGoesOn(t *testing.T, change func(*pack.Options), least int) {
	points := durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) {
		spool := t.TempDir()
		u, opened := settled(idA), false
		advance(t, &u, stage(t, spool, change, durable.WithHook(func(op durable.Op, name string) error {
			if !opened {
				opened = true // opening the spool is not what is tested
				return nil
			}
			return c.Hook(op, name)
		})))
		s := stage(t, spool, change)
		for u.State != upload.StatePacked {
			if !advance(t, &u, s) {
				t.Fatalf("stuck in %s", u.State)
			}
		}
		if got := ls(t, spool); got != idA+".zip" {
			t.Errorf("in the spool: %s", got)
		}
		f, size, err := s.Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if used, err := s.Used(); err != nil || used != size {
			t.Errorf("used %d, packed %d, %v", used, size, err)
		}
	})
	if points < least {
		t.Errorf("only %d crash points: an operation passes no hook", points)
	}
}

// advance plays the pipeline: one process that does what it can, recording each
// step only when it has succeeded.
func advance(t *testing.T, u *upload.Upload, s *pack.Stage) bool {
	t.Helper()
	if u.State == upload.StateSettled {
		v, err := packAll(s, *u, csvText, 10)
		if err != nil {
			return false
		}
		*u = v
	}
	o, err := s.Run(t.Context(), *u)
	if err != nil {
		return false
	}
	next, err := o.Apply(*u, upload.Upload{}.SpottedAt)
	if err != nil {
		t.Fatal(err)
	}
	if next.Digest == "" {
		next.Digest = u.Digest
	}
	*u = next
	return true
}

// A power cut may leave anything of a copy that was not synced, its size among it.
func TestOnlyLargeCopiesAreSyncedAndSmallOnesSeenThrough(t *testing.T) {
	t.Parallel()
	spool, syncs := t.TempDir(), 0
	s := stage(t, spool, nil, durable.WithHook(func(op durable.Op, _ string) error {
		if op == durable.OpSync || op == durable.OpSyncDir {
			syncs++
		}
		return nil
	}))
	pack := func(u upload.Upload, text string) upload.Upload {
		v, err := packAll(s, u, text, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Run(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	small := pack(settled(idA), csvText)
	if syncs != 0 {
		t.Errorf("%d syncs of a small copy", syncs)
	}
	if err := os.WriteFile(filepath.Join(spool, idA+".zip"), make([]byte, small.PackedSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Open(t.Context(), small); err == nil || upload.AsFault(err).Reason != upload.SpoolLost {
		t.Errorf("zeros of the right size: %v", err)
	}
	pack(settled(idB), noise(9<<20))
	if syncs != 2 {
		t.Errorf("%d syncs of a large copy and its directory, want 2", syncs)
	}
}

func TestLargeCopiesAreDigestedOncePerProcess(t *testing.T) {
	t.Parallel()
	spool, reads := t.TempDir(), 0
	count := durable.WithHook(func(op durable.Op, _ string) error {
		if op == durable.OpRead {
			reads++
		}
		return nil
	})
	s := stage(t, spool, nil, count)
	u, err := packAll(s, settled(idA), noise(9<<20), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f, _, err := s.Open(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 2)
		if _, err := io.ReadFull(f, first); err != nil || string(first) != "PK" {
			t.Errorf("not at its first byte: %q, %v", first, err)
		}
		_ = f.Close()
	}
	if once := 9<<20/(256<<10) + 10; reads < 9<<20/(256<<10) || reads > once {
		t.Errorf("%d reads, want about %d", reads, once)
	}
}

func TestSweepTakesOrphansAlone(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	for _, name := range []string{idA + ".zip", idA + ".zip.part", idB + ".zip", idB + ".zip.part", "notes.zip", "x"} {
		durabletest.Write(t, filepath.Join(spool, name), "x")
	}
	s := stage(t, spool, nil)
	n, err := s.Sweep(t.Context(), func(id upload.ID) bool { return id == idA })
	want := fmt.Sprintf("%[1]s.zip %[1]s.zip.part notes.zip x", idA)
	if err != nil || n != 2 || ls(t, spool) != want {
		t.Errorf("removed %d, %v; left %s", n, err, ls(t, spool))
	}
	if used, err := s.Used(); err != nil || used != 4 {
		t.Errorf("used %d, %v", used, err)
	}
}

func TestSweepOfASharedSpoolLeavesAloneWhatAnotherMayBeWriting(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	for _, name := range []string{idA + ".zip.part", idB + ".zip.part"} {
		durabletest.Write(t, filepath.Join(spool, name), "x")
	}
	old := time.Now().Add(-pack.SweepAge)
	if err := os.Chtimes(filepath.Join(spool, idB+".zip.part"), old, old); err != nil {
		t.Fatal(err)
	}
	s := stage(t, spool, func(o *pack.Options) { o.Shared = true })
	n, err := s.Sweep(t.Context(), func(upload.ID) bool { return false })
	if err != nil || n != 1 || ls(t, spool) != idA+".zip.part" {
		t.Errorf("removed %d, %v; left %s", n, err, ls(t, spool))
	}
}
