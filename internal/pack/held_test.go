package pack_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func holding(o *pack.Options) { o.Hold = 1 << 20 }

// whole fails unless s has the copy of u as it was packed.
func whole(t *testing.T, s *pack.Stage, u upload.Upload) {
	t.Helper()
	f, size, err := s.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != size || size != u.PackedSize || digestOf(b) != u.PackedDigest {
		t.Errorf("%d bytes of %d, %v", len(b), size, err)
	}
}

// holds fails unless names are in the spool, and as many bytes as u has are counted.
func holds(t *testing.T, s *pack.Stage, spool, names string, bytes int64) {
	t.Helper()
	if got := ls(t, spool); got != names {
		t.Errorf("in the spool: %q, want %q", got, names)
	}
	if used, err := s.Used(); err != nil || used != bytes {
		t.Errorf("used %d, want %d; %v", used, bytes, err)
	}
}

func TestASmallCopyWaitsInMemoryAndIsGoneWithoutATrace(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	s := stage(t, spool, holding)
	u := validated(t, s, idA)
	if o, err := s.Run(t.Context(), u); err != nil || o.Name() != "packed" {
		t.Fatalf("got %q, %v", o.Name(), err)
	}
	whole(t, s, u)
	whole(t, s, u) // a second try
	holds(t, s, spool, "", u.PackedSize)
	if err := s.Remove(u); err != nil {
		t.Fatal(err)
	}
	holds(t, s, spool, "", 0)
	if _, _, err := s.Open(t.Context(), u); err == nil || upload.AsFault(err).Reason != upload.SpoolLost {
		t.Errorf("after its removal: %v", err)
	}
}

func TestAHeldCopyThatIsGivenUpIsGone(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	s := stage(t, spool, holding)
	for _, finish := range []bool{false, true} {
		p, err := s.Begin(t.Context(), settled(idA))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p, csvText); err != nil {
			t.Fatal(err)
		}
		if finish {
			if _, _, err := p.Finish(); err != nil {
				t.Fatal(err)
			}
		}
		p.Abort()
		holds(t, s, spool, "", 0)
	}
	s.Close() // which gives what is still held its file
	holds(t, s, spool, "", 0)
}

func TestWhatMayNotBeHeldHasAFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		change func(*pack.Options)
	}{
		"a larger one":   {noise(200_000), holding},
		"no room":        {csvText, func(o *pack.Options) { o.Hold = int64(len(csvText)) - 1 }},
		"a shared spool": {csvText, func(o *pack.Options) { holding(o); o.Shared = true }},
		"after the end":  {csvText, holding},
	} {
		spool := t.TempDir()
		s := stage(t, spool, c.change)
		if name == "after the end" {
			s.Close()
		}
		u, err := packAll(s, settled(idA), c.text, 50_000)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		holds(t, s, spool, idA+".zip.part", u.PackedSize)
		if _, err := s.Run(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		whole(t, s, u)
	}
}

func TestHeldCopiesGetTheirFilesAtTheEnd(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	s := stage(t, spool, holding)
	a, b := validated(t, s, idA), validated(t, s, idB)
	s.Close()
	for _, u := range []upload.Upload{a, b} {
		next := stage(t, spool, holding)
		whole(t, next, u)
		holds(t, next, spool, idA+".zip "+idB+".zip", a.PackedSize+b.PackedSize)
		if o, err := next.Run(t.Context(), u); err != nil || o.Name() != "packed" {
			t.Errorf("got %q, %v", o.Name(), err)
		}
	}
}

func TestAStopWithoutAPlaceForWhatIsHeldIsToldAndPackedAgain(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	var log bytes.Buffer
	told := func(o *pack.Options) { holding(o); o.Logger = slog.New(slog.NewTextHandler(&log, nil)) }
	s := stage(t, spool, told, durable.WithHook(func(op durable.Op, _ string) error {
		if op == durable.OpCreate {
			return fs.ErrPermission
		}
		return nil
	}))
	a, b := validated(t, s, idA), validated(t, s, idB)
	s.Close()
	if got := log.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "files=2") || !strings.Contains(got, "permission") {
		t.Errorf("told: %q", got)
	}
	next := stage(t, spool, holding)
	for _, u := range []upload.Upload{a, b} {
		if _, _, err := next.Open(t.Context(), u); err == nil || upload.AsFault(err).Reason != upload.SpoolLost {
			t.Errorf("the next process finds %v", err)
		}
		whole(t, next, validated(t, next, string(u.ID)))
	}
}

func TestACopyThatWaitsLongGetsItsFileEvenIfTheDiskIsFullFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spool := t.TempDir()
		var full atomic.Bool
		full.Store(true)
		s := stage(t, spool, holding, durable.WithHook(func(op durable.Op, _ string) error {
			if full.Load() && op == durable.OpWrite {
				return errors.New("full")
			}
			return nil
		}))
		u := validated(t, s, idA)
		for _, c := range []struct {
			wait  time.Duration
			full  bool
			names string
		}{{4 * time.Second, true, ""}, {2 * time.Second, true, ""}, {2 * time.Second, false, idA + ".zip"}, {time.Hour, false, idA + ".zip"}} {
			full.Store(c.full)
			<-time.After(c.wait) // of the bubble
			synctest.Wait()
			holds(t, s, spool, c.names, u.PackedSize)
			whole(t, s, u)
		}
		if err := s.Remove(u); err != nil {
			t.Fatal(err)
		}
		holds(t, s, spool, "", 0)
	})
}

// A process ends at any operation, its last ones those that give a held copy its
// file: the next one has the whole copy, or packs again.
func TestAHeldCopySurvivesOrIsPackedAgainAfterEveryCrash(t *testing.T) {
	t.Parallel()
	points := durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) {
		spool := t.TempDir()
		u, opened := settled(idA), false
		s := stage(t, spool, holding, durable.WithHook(func(op durable.Op, name string) error {
			if !opened {
				opened = true // opening the spool is not what is tested
				return nil
			}
			return c.Hook(op, name)
		}))
		if advance(t, &u, s) {
			s.Close()
		}
		next := stage(t, spool, holding)
		if _, _, err := next.Open(t.Context(), u); u.State == upload.StatePacked && err != nil {
			if upload.AsFault(err).Reason != upload.SpoolLost {
				t.Fatal(err)
			}
			u = settled(idA)
		}
		for u.State != upload.StatePacked {
			if !advance(t, &u, next) {
				t.Fatalf("stuck in %s", u.State)
			}
		}
		whole(t, next, u)
		if used, err := next.Used(); err != nil || used != u.PackedSize {
			t.Errorf("used %d, packed %d, %v", used, u.PackedSize, err)
		}
	})
	if points < 6 {
		t.Errorf("only %d crash points: an operation passes no hook", points)
	}
}

// BenchmarkSmallCopy packs, sends and removes one small copy after another.
func BenchmarkSmallCopy(b *testing.B) {
	for name, change := range map[string]func(*pack.Options){"with a file": func(*pack.Options) {}, "held": holding} {
		b.Run(name, func(b *testing.B) {
			dir, err := durable.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			o := pack.Options{Spool: dir, Sources: map[upload.Channel]pack.Source{upload.Flu: source{id: seen}}, Contents: contents{}}
			change(&o)
			s := pack.New(o)
			b.ReportAllocs()
			for b.Loop() {
				u, err := packAll(s, settled(idA), csvText, len(csvText))
				if err == nil {
					_, err = s.Run(b.Context(), u)
				}
				if err != nil {
					b.Fatal(err)
				}
				f, _, err := s.Open(b.Context(), u)
				if err != nil {
					b.Fatal(err)
				}
				_ = f.Close()
				if err := s.Remove(u); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
