package retire_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/retire"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// ledger is a journal of one upload, which answers even what it was not asked.
type ledger struct {
	u         upload.Upload
	known     bool
	relocated []upload.Place
	failing   error
}

func (l *ledger) PutAway(_ context.Context, _ upload.Place, _ time.Time, after upload.ID, _ int) ([]upload.Upload, error) {
	if !l.known || l.u.ID <= after {
		return nil, nil
	}
	return []upload.Upload{l.u}, nil
}

func (l *ledger) Find(_ context.Context, id upload.ID) (upload.Upload, bool, error) {
	return l.u, l.known && id == l.u.ID, nil
}

func (l *ledger) Relocate(_ context.Context, _ upload.ID, o upload.Outcome) error {
	if l.failing != nil {
		return l.failing
	}
	u, err := o.Apply(l.u, time.Now())
	l.u = u
	l.relocated = append(l.relocated, u.Place)
	return err
}

func (w *world) sweep(l *ledger, hooks ...durable.Hook) (retire.Swept, error) {
	return retire.NewSweeper(retire.SweepOptions{
		Stage: w.process(hooks...), Ledger: l, ArchiveRetention: 720 * time.Hour, QuarantineRetention: 2160 * time.Hour,
	}).Sweep(w.t.Context())
}

// retired makes an upload whose original is put away.
func (w *world) retired(v upload.Verdict) upload.Upload {
	u := w.run(w.process(), w.decided(v))
	w.now = w.now.AddDate(1, 0, 0)
	return u
}

func TestTheSweepTouchesOnlyWhatIsRetiredWithAVerdictAndOld(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		verdict upload.Verdict
		change  func(*upload.Upload)
		expires bool
	}{
		"archived":     {upload.Accepted, func(*upload.Upload) {}, true},
		"quarantined":  {upload.Rejected, func(*upload.Upload) {}, true},
		"unresolved":   {upload.Unresolved, func(*upload.Upload) {}, false},
		"young":        {upload.Accepted, func(u *upload.Upload) { u.FinishedAt = u.FinishedAt.AddDate(1, 0, -1) }, false},
		"not finished": {upload.Accepted, func(u *upload.Upload) { u.FinishedAt = time.Time{} }, false},
		"no verdict":   {upload.Accepted, func(u *upload.Upload) { u.Verdict = "" }, false},
		"not retired":  {upload.Accepted, func(u *upload.Upload) { u.State = upload.StateDecided }, false},
		"elsewhere":    {upload.Accepted, func(u *upload.Upload) { u.Path = "archive/../journal.db" }, false},
		"changed":      {upload.Accepted, func(u *upload.Upload) { u.Reason = upload.OriginalChanged }, false},
	}
	for label, tt := range tests {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t, false)
			durabletest.Write(t, filepath.Join(w.state, "journal.db"), "journal")
			u := w.retired(tt.verdict)
			tt.change(&u)
			l := &ledger{u: u, known: true}
			done, err := w.sweep(l)
			if err != nil {
				t.Fatal(err)
			}
			if tt.expires {
				if done.Expired != 1 || !slices.Equal(l.relocated, []upload.Place{upload.Expired}) || !slices.Equal(w.tree(w.state), []string{"journal.db"}) {
					t.Errorf("got %+v, %v, left %v", done, l.relocated, w.tree(w.state))
				}
				return
			}
			if done.Expired != 0 || len(l.relocated) != 0 || len(w.copies(text)) != 1 || !w.exists(w.state, "journal.db") {
				t.Errorf("got %+v, %v, left %v", done, l.relocated, w.tree(w.state))
			}
		})
	}
}

func TestAnUnknownArchiveIsNotSwept(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	w.retired(upload.Accepted)
	if done, err := w.sweep(&ledger{}); err != nil || done != (retire.Swept{}) || len(w.copies(text)) != 1 {
		t.Errorf("got %+v, %v", done, err)
	}
}

func TestTheSweepGoesOnAfterEveryCrash(t *testing.T) {
	t.Parallel()
	points := durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) {
		w, _ := newWorld(t, false)
		l := &ledger{u: w.retired(upload.Rejected), known: true}
		_, _ = w.sweep(l, c.Hook)
		if _, err := w.sweep(l); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(l.relocated, []upload.Place{upload.Expired}) || len(w.tree(w.state)) != 0 {
			t.Errorf("recorded %v, left %v", l.relocated, w.tree(w.state))
		}
	})
	if points < 8 {
		t.Errorf("only %d crash points", points)
	}
}

func TestAnExpiryThatIsNotRecordedIsRecordedLater(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	l := &ledger{u: w.retired(upload.Accepted), known: true, failing: errors.New("journal away")}
	if _, err := w.sweep(l); err == nil {
		t.Error("no error")
	}
	l.failing = nil
	if done, err := w.sweep(l); err != nil || done.Expired != 1 || len(l.relocated) != 1 {
		t.Errorf("got %+v, %v", done, err)
	}
}

func TestAnOriginalLeftAsideByACancelledUploadComesBack(t *testing.T) {
	t.Parallel()
	aside := ".hqms-" + string(idA) + ".aside"
	tests := map[string]struct {
		state upload.State
		known bool
		taken bool
		want  string // where the original is then
	}{
		"cancelled":             {upload.StateCancelled, true, false, "watch:" + name},
		"cancelled, name taken": {upload.StateCancelled, true, true, "state:" + strings.Replace(wherePut(upload.InQuarantine), name, "changed/"+name, 1)},
		"under way":             {upload.StateDecided, true, false, "watch:" + aside},
		"parked":                {upload.StateFailed, true, false, "watch:" + aside},
		"unknown":               {upload.StateCancelled, false, false, "watch:" + aside},
	}
	for label, tt := range tests {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t, false)
			u := w.decided(upload.Accepted)
			u.State = tt.state
			if err := os.Rename(filepath.Join(w.watch, name), filepath.Join(w.watch, aside)); err != nil {
				t.Fatal(err)
			}
			if tt.taken {
				durabletest.Write(t, filepath.Join(w.watch, name), "new")
			}
			if _, err := w.sweep(&ledger{u: u, known: tt.known}); err != nil {
				t.Fatal(err)
			}
			if got := w.copies(text); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("the original is at %v", got)
			}
		})
	}
}

func TestLeftoversGoWhenTheyAreNobodysWork(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	w.policy = retire.Policy{OnAccepted: retire.Delete}
	u := w.retired(upload.Accepted)
	restore := ".hqms-" + string(idB) + ".restore"
	for _, f := range []string{restore, ".hqms-notes.restore", ".other"} {
		durabletest.Write(t, filepath.Join(w.watch, f), "x")
	}
	w.now = time.Now().Add(time.Minute)
	if done, err := w.sweep(&ledger{u: u, known: true}); err != nil || done.Leftover != 1 || !w.exists(w.watch, restore) {
		t.Errorf("young: got %+v, %v", done, err)
	}
	if got := w.tree(w.state); len(got) != 0 {
		t.Errorf("traces left: %v", got)
	}
	w.now = time.Now().Add(2 * time.Hour)
	if done, err := w.sweep(&ledger{u: u, known: true}); err != nil || done.Leftover != 1 {
		t.Errorf("old: got %+v, %v", done, err)
	}
	if got := w.tree(w.watch); !slices.Equal(got, []string{".hqms-notes.restore", ".other"}) {
		t.Errorf("left: %v", got)
	}
}
