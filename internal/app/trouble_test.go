package app

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestTroubleWithTheJournalShowsUntilItIsOver(t *testing.T) {
	t.Parallel()
	for _, r := range []upload.Reason{upload.JournalUnavailable, upload.DiskFull} {
		s := newTrouble()
		s.failed(fmt.Errorf("claim: %w", upload.LocalFaultOf(r, "", nil)))
		if f := s.now(); f == nil || f.Reason != r {
			t.Errorf("got %v, want %s", f, r)
		}
		s.over()
		if f := s.now(); f != nil {
			t.Errorf("still %v", f)
		}
	}
}

func TestDamageIsNotOverByItself(t *testing.T) {
	t.Parallel()
	s := newTrouble()
	for range 2 { // the second closes nothing twice
		s.failed(fmt.Errorf("claim: %w", journal.ErrDamaged))
	}
	select {
	case <-s.damaged:
	default:
		t.Error("nobody is told")
	}
	s.failed(upload.LocalFaultOf(upload.DiskFull, "", nil))
	s.over()
	if f := s.now(); f == nil || f.Reason != upload.JournalUnavailable || !errors.Is(f, journal.ErrDamaged) {
		t.Errorf("got %v", f)
	}
}

// What is kept of one verdict says nothing of another that the upload gets later.
func TestAVerdictIsKeptBesideTheOneBefore(t *testing.T) {
	t.Parallel()
	var v verdicts
	u := upload.Upload{ID: "a", Verdict: upload.Unresolved}
	if v.has(u) {
		t.Error("known before it was added")
	}
	v.add(u)
	later := u
	later.Verdict = upload.Accepted
	if !v.has(u) || v.has(later) {
		t.Errorf("the first %v, want true; the later one %v, want false", v.has(u), v.has(later))
	}
	v.drop(u.ID)
	if v.has(u) {
		t.Error("known after it was dropped")
	}
}

// A journal that is damaged soon after it was made anew waits to be made anew again;
// one that is damaged later is, though the same process runs.
func TestDamageCountsOnceThePauseIsOver(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct{ pause, damaged, want time.Duration }{
		"long after the pause": {10 * time.Minute, 1000 * time.Hour, 1000 * time.Hour},
		"within the pause":     {10 * time.Minute, time.Second, 10 * time.Minute},
		"without a pause":      {0, time.Second, time.Second},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, began := newTrouble(), time.Now()
				damaged := s.damagedAfter(t.Context(), c.pause)
				time.AfterFunc(c.damaged, func() { s.failed(fmt.Errorf("claim: %w", journal.ErrDamaged)) })
				<-damaged
				if took := time.Since(began); took != c.want {
					t.Errorf("after %s, want %s", took, c.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // nobody is left behind
		ctx, cancel := context.WithCancel(t.Context())
		newTrouble().damagedAfter(ctx, time.Minute)
		cancel()
	})
}
