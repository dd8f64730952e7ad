package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheOperatorsGOGCIsLeftAlone(t *testing.T) { //nolint:paralleltest // it is the whole process's
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	for _, c := range []struct {
		environ []string
		want    int
	}{
		{nil, careful},
		{[]string{"GOGC="}, careful},
		{[]string{"GOGC=100"}, 77},
		{[]string{"A=1", "GOGC=off"}, 77},
	} {
		saveMemory(c.environ, careful)
		if got := debug.SetGCPercent(77); got != c.want {
			t.Errorf("%q: %d, want %d", c.environ, got, c.want)
		}
	}
}

func TestMemoryIsGivenBackAfterEachSpellOfWorkAndTidiedWhileNothingMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var moved, rests, tidied atomic.Int64
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			resting(ctx, moved.Load, func(again bool) {
				if again {
					tidied.Add(1)
				} else {
					rests.Add(1)
				}
			})
		}()
		for spell := range int64(3) {
			for range 10 { // work
				moved.Add(1)
				<-time.After(restEvery / 2) // virtual
			}
			if got := rests.Load(); got != spell {
				t.Errorf("%d times while there was work, want %d", got, spell)
			}
			before := tidied.Load()
			<-time.After(time.Hour) // virtual
			if got := rests.Load(); got != spell+1 {
				t.Errorf("%d times after spell %d", got, spell+1)
			}
			if got := tidied.Load() - before; got < 58 || got > 60 {
				t.Errorf("tidied up %d times in an hour of nothing", got)
			}
		}
		cancel()
		<-ended
	})
}

func TestAProgramGoesOnWithoutThePagesItLetGoOf(t *testing.T) {
	t.Parallel()
	before := fmt.Sprintf("%x", sha256.Sum256([]byte("x")))
	dropped, err := dropCode()
	if err != nil || dropped == 0 {
		t.Fatalf("let go of %d bytes, %v", dropped, err)
	}
	if after := fmt.Sprintf("%x", sha256.Sum256([]byte("x"))); after != before {
		t.Error("constants have changed")
	}
}

func TestOnlyPrivateMappingsOfTheProgramThatCannotBeWrittenToAreLetGo(t *testing.T) {
	t.Parallel()
	const exe = "/usr/bin/hqms-sidecar"
	for line, want := range map[string]*span{
		"00400000-01000000 r-xp 00000000 fe:00 12 " + exe:        {0x400000, 0x1000000},
		"01000000-02000000 r--p 00c00000 fe:00 12 " + exe:        {0x1000000, 0x2000000},
		"02000000-02100000 rw-p 01800000 fe:00 12 " + exe:        nil,
		"02000000-02100000 r--s 01800000 fe:00 12 " + exe:        nil,
		"7f0000000000-7f0000100000 r-xp 00000000 fe:00 9 /lib/x": nil,
		"c000000000-c000400000 rw-p 00000000 00:00 0":            nil,
	} {
		got, ok := mapped(line, exe)
		if !ok || (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s: %v, %v; want %v", line, got, ok, want)
		}
	}
	if _, ok := mapped("Anonymous:             0 kB", exe); ok {
		t.Error("a property is taken for a mapping")
	}
}
