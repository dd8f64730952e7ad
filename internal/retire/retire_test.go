package retire_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/retire"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestWhatIsNotTheOriginalIsLeftAlone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(path string) error
		place  upload.Place
		reason upload.Reason
		keeps  string
	}{
		"gone":    {os.Remove, upload.Gone, upload.OriginalGone, ""},
		"grown":   {func(p string) error { return os.WriteFile(p, []byte(text+"2,x\r\n"), 0o600) }, upload.InWatch, upload.OriginalChanged, text + "2,x\r\n"},
		"touched": {func(p string) error { return os.Chtimes(p, spotted, spotted) }, upload.InWatch, upload.OriginalChanged, text},
		"another file": {
			func(p string) error {
				return errors.Join(os.WriteFile(p+".new", []byte("new"), 0o600), os.Rename(p+".new", p))
			},
			upload.InWatch, upload.OriginalChanged, "new",
		},
		"now a directory": {
			func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) },
			upload.Gone, upload.OriginalGone, "",
		},
		"now a link": {
			func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/etc/hostname", p)) },
			upload.Gone, upload.OriginalGone, "",
		},
	}
	for label, tt := range tests {
		for _, action := range []retire.Action{retire.Archive, retire.Delete, retire.Keep} {
			t.Run(label+", "+string(action), func(t *testing.T) {
				t.Parallel()
				w, _ := newWorld(t, false)
				w.policy = retire.Policy{OnAccepted: action}
				u := w.decided(upload.Accepted)
				if err := tt.change(filepath.Join(w.watch, name)); err != nil {
					t.Fatal(err)
				}
				got := w.run(w.process(), u)
				if got.Place != tt.place || got.Reason != tt.reason {
					t.Errorf("got %s (%s), want %s (%s)", got.Place, got.Reason, tt.place, tt.reason)
				}
				if tt.keeps != "" && durabletest.Read(t, filepath.Join(w.watch, name)) != tt.keeps {
					t.Error("the file was touched")
				}
				if files := w.tree(w.state); len(files) != 0 {
					t.Errorf("in the state directory: %v", files)
				}
			})
		}
	}
}

func TestAWriteAfterTheVerdictIsNeverDeleted(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	w.policy = retire.Policy{OnAccepted: retire.Delete}
	u := w.decided(upload.Accepted)
	path := filepath.Join(w.watch, name)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	late := func(op durable.Op, _ string) error { // a writer that kept the file open
		if op == durable.OpRenameNoReplace && durabletest.Read(t, path) == text {
			durabletest.Write(t, path, changedText)
			return os.Chtimes(path, info.ModTime(), info.ModTime())
		}
		return nil
	}
	if got := w.run(w.process(late), u); got.Place != upload.InWatch || got.Reason != upload.OriginalChanged {
		t.Errorf("got %s (%s)", got.Place, got.Reason)
	}
	if got := durabletest.Read(t, path); got != changedText {
		t.Errorf("the new content is gone: %q", got)
	}
}

func TestContentChangedAfterItWasCopiedGoesBack(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	u := w.decided(upload.Accepted)
	archived := filepath.Join(w.state, wherePut(upload.InArchive))
	if err := os.MkdirAll(filepath.Dir(archived), 0o700); err != nil {
		t.Fatal(err)
	}
	durabletest.Write(t, archived, text)
	if err := os.Remove(filepath.Join(w.watch, name)); err != nil {
		t.Fatal(err)
	}
	durabletest.Write(t, filepath.Join(w.watch, ".hqms-"+string(idA)+".aside"), changedText)
	got := w.run(w.process(), u)
	if got.Place != upload.InArchive || got.Path != wherePut(upload.InArchive) || got.Reason != upload.OriginalChanged {
		t.Errorf("got %s %s (%s)", got.Place, got.Path, got.Reason)
	}
	if durabletest.Read(t, archived) != text || durabletest.Read(t, filepath.Join(w.watch, name)) != changedText {
		t.Errorf("what was sent: %v; what came after: %v", w.copies(text), w.copies(changedText))
	}
}

func TestAnotherFileInTheArchiveIsNotOverwritten(t *testing.T) {
	t.Parallel()
	for _, across := range []bool{false, true} {
		w, system := newWorld(t, across)
		u := w.decided(upload.Accepted)
		archived := filepath.Join(w.state, wherePut(upload.InArchive))
		if err := os.MkdirAll(filepath.Dir(archived), 0o700); err != nil {
			t.Fatal(err)
		}
		durabletest.Write(t, archived, "other")
		_, err := w.process(system).Run(t.Context(), u)
		if f := upload.AsFault(err); err == nil || f.Class != upload.Local {
			t.Errorf("got %v", err)
		}
		if durabletest.Read(t, archived) != "other" || len(w.copies(text)) != 1 {
			t.Errorf("overwritten; the original is at %v", w.copies(text))
		}
	}
}

func TestAReadOnlyVolumeWaitsWithARemedy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		errno syscall.Errno
		want  upload.Reason
	}{{syscall.EROFS, upload.ReadOnly}, {syscall.EACCES, upload.PermissionDenied}, {syscall.ENOSPC, upload.DiskFull}} {
		w, _ := newWorld(t, false)
		u := w.decided(upload.Accepted)
		_, err := w.process(durabletest.Failing(durable.OpRenameNoReplace, tt.errno)).Run(t.Context(), u)
		if f := upload.AsFault(err); err == nil || f.Class != upload.Local || f.Reason != tt.want {
			t.Errorf("%v: got %v", tt.errno, err)
		}
		if strings.Contains(err.Error(), name) {
			t.Errorf("a file name got into an error: %v", err)
		}
		if got := w.run(w.process(), u); got.Place != upload.InArchive {
			t.Errorf("%v: after it was put right: %s", tt.errno, got.Place)
		}
	}
}

// A run that was killed after it had moved the original may have made all directories
// above it.
func TestWhatAKilledRunHasMovedIsMadeToLast(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	u := w.decided(upload.Accepted)
	killed := errors.New("killed")
	moved := false
	kill := func(op durable.Op, _ string) error {
		if op == durable.OpSyncDir && w.exists(w.state, wherePut(upload.InArchive)) {
			moved = true
			return killed
		}
		return nil
	}
	if _, err := w.process(kill).Run(t.Context(), u); err == nil || !moved {
		t.Fatalf("moved %v, %v", moved, err)
	}
	var synced []string
	note := func(op durable.Op, name string) error {
		if op == durable.OpSyncDir {
			synced = append(synced, name)
		}
		return nil
	}
	if got := w.run(w.process(note), u); got.Place != upload.InArchive {
		t.Errorf("got %s", got.Place)
	}
	for dir := wherePut(upload.InArchive); dir != "."; {
		if dir = filepath.Dir(dir); !slices.Contains(synced, dir) {
			t.Errorf("%s is not synced, but %v", dir, synced)
		}
	}
}

// An upload without a verdict in time is put away, which cannot be done; an operator
// has the server asked again, and the verdict comes.
func TestWhatAnEarlierVerdictHadSetAsideIsPutAway(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	unresolved := w.decided(upload.Unresolved)
	if _, err := w.process(durabletest.Failing(durable.OpMkdir, syscall.ENOSPC)).Run(t.Context(), unresolved); err == nil {
		t.Fatal("it was put away")
	}
	if w.exists(w.watch, name) {
		t.Fatal("it was not set aside")
	}
	accepted := unresolved
	accepted.Verdict, accepted.Reason, accepted.VerdictReason = upload.Accepted, "", ""
	o, err := w.process().First(t.Context(), accepted)
	if err != nil {
		t.Fatal(err)
	}
	got, err := o.Apply(accepted, w.now)
	if err != nil {
		t.Fatal(err)
	}
	if got.Place != upload.InArchive || got.Reason != "" || durabletest.Read(t, filepath.Join(w.state, got.Path)) != text {
		t.Errorf("got %s %s (%s); it is at %v", got.Place, got.Path, got.Reason, w.copies(text))
	}
	w.nothingLeft()
}

func TestAReadOnlyMountIsLeftUntouched(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	mounted, ok := durabletest.Tmpfs(t, "size=1m")
	if !ok {
		t.Log("no right to mount: the errors by hand stand alone")
		return
	}
	w.watch = mounted
	u := w.decided(upload.Accepted)
	durabletest.ReadOnly(t, mounted)
	_, err := w.process().Run(t.Context(), u)
	if f := upload.AsFault(err); err == nil || f.Class != upload.Local || f.Reason != upload.ReadOnly {
		t.Errorf("got %v", err)
	}
	w.policy = retire.Policy{OnAccepted: retire.Keep}
	if got := w.run(w.process(), u); got.Place != upload.InWatch || got.Reason != "" || len(w.copies(text)) != 1 {
		t.Errorf("kept: got %s (%s), %v", got.Place, got.Reason, w.copies(text))
	}
}

func TestAMissingDirectoryIsNotAMissingFile(t *testing.T) {
	t.Parallel()
	for _, action := range []retire.Action{retire.Archive, retire.Keep} {
		w, _ := newWorld(t, false)
		w.policy.OnAccepted = action
		u := w.decided(upload.Accepted)
		if err := os.Rename(w.watch, w.watch+".away"); err != nil {
			t.Fatal(err)
		}
		_, err := w.process().Run(t.Context(), u)
		if f := upload.AsFault(err); err == nil || f.Class != upload.Local || f.Reason != upload.WatchDirMissing {
			t.Errorf("%s: got %v", action, err)
		}
	}
}

func TestAChannelSwitchedOffWaits(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	u := w.decided(upload.Accepted)
	u.Channel = upload.HQMS
	_, err := w.process().Run(t.Context(), u)
	if f := upload.AsFault(err); err == nil || f.Class != upload.Local || f.Reason != upload.WatchDirMissing {
		t.Errorf("got %v", err)
	}
}

func TestShutdownIsNotAFault(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	u := w.decided(upload.Accepted)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.process().Run(ctx, u); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := w.run(w.process(), u); got.Place != upload.InArchive {
		t.Errorf("afterwards: %s", got.Place)
	}
}

func TestMarkersGoWithTheirOriginal(t *testing.T) {
	t.Parallel()
	markers := []string{name + ".ok", name + ".done", strings.TrimSuffix(name, ".csv") + ".ok"}
	tests := map[string]struct {
		policy retire.Policy
		sc     scene
		stay   bool
	}{
		"archived":          {policy: retire.Policy{Markers: true}},
		"deleted":           {policy: retire.Policy{Markers: true, OnAccepted: retire.Delete}},
		"not ours":          {policy: retire.Policy{}, stay: true},
		"kept":              {policy: retire.Policy{Markers: true, OnAccepted: retire.Keep}, stay: true},
		"of a newer file":   {policy: retire.Policy{Markers: true}, sc: scene{taken: true}, stay: true},
		"of a changed file": {policy: retire.Policy{Markers: true}, sc: scene{changed: true}, stay: true},
	}
	for label, tt := range tests {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t, false)
			w.policy = tt.policy
			u := w.decided(upload.Accepted)
			if tt.sc.changed {
				u.Digest = digest(changedText)
			}
			for _, m := range markers {
				durabletest.Write(t, filepath.Join(w.watch, m), "")
			}
			w.run(w.process(tt.sc.exporter(w)), u)
			left := w.tree(w.watch)
			for _, m := range markers {
				if slices.Contains(left, m) != tt.stay {
					t.Errorf("%s: left are %v", m, left)
				}
			}
		})
	}
}

func TestAFileSystemWithoutSafeRenamesStillArchives(t *testing.T) {
	t.Parallel()
	unable := func(op durable.Op, name string) error {
		switch {
		case op == durable.OpRenameNoReplace && !strings.HasSuffix(name, ".part"):
			return syscall.EINVAL
		case op == durable.OpLink:
			return syscall.EPERM
		default:
			return nil
		}
	}
	w, _ := newWorld(t, false)
	u := w.decided(upload.Accepted)
	if got := w.run(w.process(unable), u); got.Place != upload.InArchive || len(w.copies(text)) != 1 {
		t.Errorf("got %s, %v", got.Place, w.copies(text))
	}
	u = w.decided(upload.Accepted)
	u.ID, u.Digest = idB, digest(changedText)
	if got := w.run(w.process(unable), u); got.Place != upload.InQuarantine || len(w.copies(text)) != 2 {
		t.Errorf("changed: got %s, %v", got.Place, w.copies(text))
	}
}
