package pack_test

import (
	"archive/zip"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// table is text of n bytes like a feed's.
func table(n int) string {
	var b strings.Builder
	r := rand.New(rand.NewPCG(1, 7))
	for b.Len() < n {
		b.WriteString("医院,2026-11-2" + strconv.Itoa(r.IntN(9)) + ",J10." + strconv.Itoa(r.IntN(9)) + ",-,-,男,0," + strconv.Itoa(r.IntN(1e6)) + "\r\n")
	}
	return b.String()[:n]
}

func at(level int) func(*pack.Options) {
	return func(o *pack.Options) { o.Level = func(upload.Channel, int64) int { return level } }
}

func TestEveryLevelGivesAZipOfTheSameContent(t *testing.T) {
	t.Parallel()
	text := table(120_000)
	var told []int
	for level := 1; level <= pack.MostLevel; level++ {
		spool := t.TempDir()
		s := stage(t, spool, func(o *pack.Options) {
			at(level)(o)
			o.Packed = func(_ upload.Channel, level int, source, _ int64, _ time.Duration) {
				if source != seen.Size {
					t.Errorf("source of %d bytes", source)
				}
				told = append(told, level)
			}
		})
		u, err := packAll(s, settled(idA), text, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		z, err := zip.OpenReader(filepath.Join(spool, idA+".zip.part"))
		if err != nil {
			t.Fatalf("level %d: %v", level, err)
		}
		in, err := z.File[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		back, err := io.ReadAll(in)
		if err != nil || string(back) != text || len(z.File) != 1 {
			t.Errorf("level %d: %d bytes, %v", level, len(back), err)
		}
		_ = z.Close()
		if level != told[level-1] || u.PackedSize == 0 {
			t.Errorf("told of %v", told)
		}
	}
}

// What is small has an encoder of its own, unless a level is asked for.
func TestAChosenLevelIsThatOfASmallSourceToo(t *testing.T) {
	t.Parallel()
	text := table(7000)
	packedAt := func(level int, size int64) (told int, digest string) {
		u := settled(idA)
		u.Source.Size = size
		s := stage(t, t.TempDir(), func(o *pack.Options) {
			at(level)(o)
			o.Packed = func(_ upload.Channel, level int, _, _ int64, _ time.Duration) { told = level }
		})
		u, err := packAll(s, u, text, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return told, u.PackedDigest
	}
	_, small := packedAt(0, 7000)
	_, usual := packedAt(pack.DefaultLevel, 7000)
	told, large := packedAt(0, 70_000)
	if small == usual {
		t.Error("a small source was packed as a large one")
	}
	if told != pack.DefaultLevel || large != usual {
		t.Errorf("a large source was packed at level %d", told)
	}
	for level := 1; level <= pack.MostLevel; level++ {
		if told, digest := packedAt(level, 7000); told != level || digest == small {
			t.Errorf("level %d was asked for, and it was packed at %d", level, told)
		}
	}
}

// One packing at a time is slow; what is given up gives the place to the next.
func TestOneSlowPackingAtATime(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	levels := map[upload.ID]int{}
	s := stage(t, spool, func(o *pack.Options) {
		at(pack.MostLevel)(o)
		o.Packed = func(_ upload.Channel, level int, _, _ int64, _ time.Duration) {
			levels[upload.ID(rune('a'+len(levels)))] = level
		}
	})
	first, err := s.Begin(t.Context(), settled(idA))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Write([]byte(table(60_000))); err != nil {
		t.Fatal(err)
	}
	if _, err := packAll(s, settled(idB), table(60_000), 50_000); err != nil {
		t.Fatal(err)
	}
	first.Abort()
	if _, err := packAll(s, settled(idA), table(60_000), 50_000); err != nil {
		t.Fatal(err)
	}
	if levels["a"] != 8 || levels["b"] != pack.MostLevel {
		t.Errorf("levels %v", levels)
	}
	if got := ls(t, spool); got != idA+".zip.part "+idB+".zip.part" {
		t.Errorf("in the spool: %s", got)
	}
}

func TestAFullDiskSurfacesFromASlowPacking(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	s := stage(t, spool, at(pack.MostLevel), durable.WithHook(durabletest.Failing(durable.OpWrite, syscall.ENOSPC)))
	for range 2 { // the place is given back
		_, err := packAll(s, settled(idA), noise(600<<10), 1<<16)
		if f := upload.AsFault(err); err == nil || f.Class != upload.Local || f.Reason != upload.DiskFull {
			t.Errorf("got %v", err)
		}
		if got := ls(t, spool); got != "" {
			t.Errorf("the partial copy stayed: %s", got)
		}
		if used, err := s.Used(); err != nil || used != 0 {
			t.Errorf("used: %d, %v", used, err)
		}
	}
}
