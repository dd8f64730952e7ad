package retire_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/retire"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestRestoreCopiesBackAtEveryCrashAndNeverOverwrites(t *testing.T) {
	t.Parallel()
	durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) {
		w, _ := newWorld(t, false)
		u := w.retired(upload.Rejected)
		_, _ = w.process(c.Hook).Restore(t.Context(), u)
		if got := durabletest.Read(t, filepath.Join(w.watch, name)); got != "" && got != text {
			t.Fatalf("half a file: %q", got)
		}
		back, err := w.process().Restore(t.Context(), u)
		if err != nil && !errors.Is(err, retire.ErrNameTaken) || err == nil && back != name {
			t.Fatalf("got %q, %v", back, err)
		}
		if got := w.copies(text); !slices.Equal(got, []string{"state:" + u.Path, "watch:" + name}) {
			t.Errorf("found at %v", got)
		}
		durabletest.Write(t, filepath.Join(w.watch, name), "new")
		if _, err := w.process().Restore(t.Context(), u); !errors.Is(err, retire.ErrNameTaken) {
			t.Errorf("taken: got %v", err)
		}
		if got := durabletest.Read(t, filepath.Join(w.watch, name)); got != "new" {
			t.Errorf("overwritten: %q", got)
		}
		w.nothingLeft()
	})
}

func TestOnlyWhatIsPutAwayIsRestored(t *testing.T) {
	t.Parallel()
	tests := map[string]func(w *world, u *upload.Upload){
		"still decided":   func(_ *world, u *upload.Upload) { u.State = upload.StateDecided },
		"kept":            func(_ *world, u *upload.Upload) { u.Place, u.Path = upload.InWatch, name },
		"expired":         func(_ *world, u *upload.Upload) { u.Place, u.Path = upload.Expired, "" },
		"another path":    func(_ *world, u *upload.Upload) { u.Path = "journal.db" },
		"another channel": func(_ *world, u *upload.Upload) { u.Channel = upload.HQMS },
		"file missing": func(w *world, u *upload.Upload) {
			if err := os.Remove(filepath.Join(w.state, u.Path)); err != nil {
				w.t.Fatal(err)
			}
		},
	}
	for label, change := range tests {
		w, _ := newWorld(t, false)
		durabletest.Write(t, filepath.Join(w.state, "journal.db"), text)
		u := w.retired(upload.Accepted)
		change(w, &u)
		if _, err := w.process().Restore(t.Context(), u); !errors.Is(err, retire.ErrNotRestorable) || len(w.tree(w.watch)) != 0 {
			t.Errorf("%s: got %v, %v", label, err, w.tree(w.watch))
		}
	}
}

func TestADamagedArchiveIsNotRestored(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	u := w.retired(upload.Accepted)
	durabletest.Write(t, filepath.Join(w.state, u.Path), changedText)
	if _, err := w.process().Restore(t.Context(), u); err == nil || upload.AsFault(err).Class != upload.Local || len(w.tree(w.watch)) != 0 {
		t.Errorf("got %v, %v", err, w.tree(w.watch))
	}
}

func TestAFileOnlyIsKnownBeforeItHasItsNameAtEveryCrash(t *testing.T) {
	t.Parallel()
	durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) {
		w, _ := newWorld(t, false)
		u := w.retired(upload.Rejected)
		var known upload.Identity
		tell := func(id upload.Identity) error {
			known = id
			if w.exists(w.watch, name) {
				t.Error("it had its name before it was known")
			}
			return nil
		}
		_, _ = w.process(c.Hook).RestoreFile(t.Context(), u, tell)
		if !w.exists(w.watch, name) {
			if _, err := w.process().RestoreFile(t.Context(), u, tell); err != nil {
				t.Fatal(err)
			}
		}
		u, err := upload.PutBackAsFile(known).Apply(u, w.now)
		if err != nil {
			t.Fatal(err)
		}
		now, err := durabletest.Dir(t, w.watch).Look(name)
		if err != nil || !u.Knows(now) {
			t.Errorf("%+v is not known by %+v, %v", now, u.Source, err)
		}
		if got := w.copies(text); !slices.Equal(got, []string{"state:" + u.Path, "watch:" + name}) {
			t.Errorf("found at %v", got)
		}
		now.ModTime++
		if u.Knows(now) {
			t.Error("a change is not noticed")
		}
	})
}

func TestACopyThatCannotBeMadeKnownIsNotPutBack(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	u := w.retired(upload.Rejected)
	away := errors.New("journal away")
	if _, err := w.process().RestoreFile(t.Context(), u, func(upload.Identity) error { return away }); !errors.Is(err, away) || len(w.tree(w.watch)) != 0 {
		t.Errorf("got %v, %v", err, w.tree(w.watch))
	}
}
