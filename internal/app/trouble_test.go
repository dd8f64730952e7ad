package app

import (
	"errors"
	"fmt"
	"testing"

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
