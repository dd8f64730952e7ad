package durable_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestOpenOfAMissingDirectorySaysSo(t *testing.T) {
	t.Parallel()
	_, err := durable.Open(filepath.Join(t.TempDir(), "none"))
	if !errors.Is(err, durable.ErrNoDir) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyRegularFilesAreLookedAtAndOpened(t *testing.T) {
	t.Parallel()
	path, elsewhere := t.TempDir(), t.TempDir()
	d := durabletest.Dir(t, path)
	durabletest.Write(t, filepath.Join(path, "file"), "x")
	durabletest.Write(t, filepath.Join(elsewhere, "secret"), "x")
	for _, err := range []error{
		os.Mkdir(filepath.Join(path, "directory"), 0o700),
		syscall.Mkfifo(filepath.Join(path, "fifo"), 0o600),
		os.Symlink("file", filepath.Join(path, "link")),
		os.Symlink(filepath.Join(elsewhere, "secret"), filepath.Join(path, "link_out")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		want error
	}{
		{"directory", durable.ErrNotRegular},
		{"fifo", durable.ErrNotRegular},
		{"link", durable.ErrNotRegular},
		{"link_out", durable.ErrNotRegular},
		{"missing", fs.ErrNotExist},
		{"file", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := d.Look(tt.name); !errors.Is(err, tt.want) {
				t.Errorf("Look: got %v, want %v", err, tt.want)
			}
			f, err := d.OpenRead(tt.name)
			if !errors.Is(err, tt.want) {
				t.Errorf("OpenRead: got %v, want %v", err, tt.want)
			}
			if err == nil {
				_ = f.Close()
			}
		})
	}
	if _, err := d.OpenRead("../" + filepath.Base(elsewhere) + "/secret"); err == nil {
		t.Error("a name led out of the directory")
	}
}

func TestLookAndTheOpenFileAgree(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := durabletest.Dir(t, path)
	durabletest.Write(t, filepath.Join(path, "a"), "hello")
	looked, err := d.Look("a")
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.OpenRead("a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if open, err := f.Identity(); err != nil || open != looked || looked.Size != 5 || looked.Inode == 0 {
		t.Errorf("got %+v and %+v, %v", looked, open, err)
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("a file opened for reading could be written")
	}
}

func TestWriteFileShowsOldOrNewAtEveryCrash(t *testing.T) {
	t.Parallel()
	points := durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) {
		path := t.TempDir()
		durabletest.Write(t, filepath.Join(path, "a"), "old")
		err := durabletest.Dir(t, path).WriteFile(".a", "a", []byte("warm up"))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := durable.Open(path, durable.WithHook(c.Hook)); err == nil {
			err = d.WriteFile(".a", "a", []byte("new"))
			if (err == nil) != (c.Where() == "") {
				t.Errorf("crash %q, error %v", c.Where(), err)
			}
		}
		if got := durabletest.Read(t, filepath.Join(path, "a")); got != "warm up" && got != "new" {
			t.Errorf("half a file: %q", got)
		}
		if err := durabletest.Dir(t, path).WriteFile(".a", "a", []byte("new")); err != nil {
			t.Fatalf("again: %v", err)
		}
		if got := names(t, path); got != "a" || durabletest.Read(t, filepath.Join(path, "a")) != "new" {
			t.Errorf("left behind: %s", got)
		}
	})
	if points < 8 {
		t.Errorf("only %d crash points: an operation passes no hook", points)
	}
}

func TestAFullDiskSurfacesWhereverItStrikes(t *testing.T) {
	t.Parallel()
	for _, op := range []durable.Op{durable.OpCreate, durable.OpWrite, durable.OpSync, durable.OpClose, durable.OpRename, durable.OpSyncDir} {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT} {
			t.Run(fmt.Sprintf("%s %d", op, errno), func(t *testing.T) {
				t.Parallel()
				path := t.TempDir()
				d := durabletest.Dir(t, path, durable.WithHook(durabletest.Failing(op, errno)))
				err := d.WriteFile(".a", "a", []byte("x"))
				if f := durable.Fault(fmt.Errorf("write: %w", err), "keep it"); f.Reason != upload.DiskFull || f.Class != upload.Local {
					t.Errorf("got %v", f)
				}
				if op != durable.OpSyncDir && names(t, path) != "" {
					t.Errorf("left behind: %s", names(t, path))
				}
			})
		}
	}
}

func TestARealFullDiskIsDiskFull(t *testing.T) {
	t.Parallel()
	path, ok := durabletest.Tmpfs(t, "size=64k")
	if !ok {
		t.Log("no right to mount: the hook's table stands alone")
		return
	}
	d := durabletest.Dir(t, path)
	free, err := d.FreeBytes()
	if err != nil || free <= 0 || free > 64<<10 {
		t.Errorf("free: %d, %v", free, err)
	}
	err = d.WriteFile(".a", "a", make([]byte, 1<<20))
	if !errors.Is(err, durable.ErrFull) || durable.Fault(err, "").Reason != upload.DiskFull {
		t.Errorf("got %v", err)
	}
	if names(t, path) != "" {
		t.Errorf("left behind: %s", names(t, path))
	}
	if err := d.MayWrite(); err != nil {
		t.Errorf("may be written: got %v", err)
	}
	durabletest.ReadOnly(t, path)
	if err := d.MayWrite(); !errors.Is(err, durable.ErrReadOnly) {
		t.Errorf("read-only: got %v", err)
	}
	if err := d.ProbeWritable(); !errors.Is(err, durable.ErrReadOnly) || durable.Fault(err, "").Reason != upload.ReadOnly {
		t.Errorf("read-only: got %v", err)
	}
}

func TestFaultsAreClassified(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	tests := map[upload.Reason]error{
		upload.PermissionDenied: syscall.EACCES,
		upload.ReadOnly:         syscall.EROFS,
		upload.SourceUnreadable: syscall.EIO,
		upload.NotRegular:       durable.ErrNotRegular,
	}
	for want, cause := range tests {
		d := durabletest.Dir(t, path, durable.WithHook(durabletest.Failing(durable.OpOpen, cause)))
		_, err := d.OpenRead("patient-name.csv")
		f := durable.Fault(err, "read")
		if f.Reason != want || f.Class != upload.Local {
			t.Errorf("%v: got %v", cause, f)
		}
		if strings.Contains(f.Error(), "patient") {
			t.Errorf("a file name got into an error: %v", f)
		}
	}
	known := upload.LocalFaultOf(upload.SpoolFull, "", nil)
	if got := durable.Fault(fmt.Errorf("write: %w", known), ""); got != known {
		t.Errorf("a fault was classified again: %v", got)
	}
}

func TestALazyDirectoryComesAndGoes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "watched")
	d := durabletest.Dir(t, path, durable.WithLazy())
	gone := func() {
		t.Helper()
		_, err := d.Look("a")
		if !errors.Is(err, durable.ErrNoDir) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a missing directory was taken for a missing file: %v", err)
		}
		if f := durable.Fault(err, "look"); f.Reason != upload.WatchDirMissing {
			t.Errorf("got %v", f)
		}
	}
	there := func(content string) {
		t.Helper()
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		durabletest.Write(t, filepath.Join(path, "a"), content)
		if id, err := d.Look("a"); err != nil || id.Size != int64(len(content)) {
			t.Errorf("got %+v, %v", id, err)
		}
	}
	gone()
	there("first")
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	there("another directory")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	gone()
}

func TestRenameNoReplaceNeverOverwrites(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]durable.Option{
		"renameat2":       nil,
		"link and unlink": {durable.WithHook(durabletest.Failing(durable.OpRenameNoReplace, syscall.EINVAL))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir()
			d := durabletest.Dir(t, path, opts...)
			durabletest.Write(t, filepath.Join(path, "a"), "a")
			durabletest.Write(t, filepath.Join(path, "b"), "b")
			if err := d.RenameNoReplace("a", "b"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("taken: got %v", err)
			}
			if a, b := durabletest.Read(t, filepath.Join(path, "a")), durabletest.Read(t, filepath.Join(path, "b")); a != "a" || b != "b" {
				t.Errorf("got %q and %q", a, b)
			}
			if err := d.RenameNoReplace("a", "c"); err != nil || names(t, path) != "b c" {
				t.Errorf("free: got %v, %s", err, names(t, path))
			}
			if err := os.Link(filepath.Join(path, "c"), filepath.Join(path, "half")); err != nil {
				t.Fatal(err)
			}
			if err := d.RenameNoReplace("half", "c"); err != nil || names(t, path) != "b c" {
				t.Errorf("half done before: got %v, %s", err, names(t, path))
			}
		})
	}
}

func TestAFileSystemWithoutAnySafeRenameIsToldApart(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	durabletest.Write(t, filepath.Join(path, "a"), "a")
	for _, op := range []syscall.Errno{syscall.EPERM, syscall.ENOSYS} {
		d := durabletest.Dir(t, path, durable.WithHook(func(o durable.Op, _ string) error {
			switch o {
			case durable.OpRenameNoReplace:
				return syscall.ENOSYS
			case durable.OpLink:
				return op
			default:
				return nil
			}
		}))
		if err := d.RenameNoReplace("a", "b"); !errors.Is(err, durable.ErrNoReplace) || names(t, path) != "a" {
			t.Errorf("got %v, %s", err, names(t, path))
		}
	}
}

func TestMoveAcrossFileSystemsKeepsTheFileInOnePlaceAtEveryCrash(t *testing.T) {
	t.Parallel()
	const text = "content"
	want, err := durable.Digest(t.Context(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) {
		from, to := t.TempDir(), t.TempDir()
		if mounted, ok := durabletest.Tmpfs(t, "size=1m"); ok {
			to = mounted
		}
		durabletest.Write(t, filepath.Join(from, "a"), text)
		old := time.Unix(1_600_000_000, 0)
		if err := os.Chtimes(filepath.Join(from, "a"), old, old); err != nil {
			t.Fatal(err)
		}
		moved := func(opts ...durable.Option) error {
			src, err := durable.Open(from, opts...)
			if err != nil {
				return err
			}
			dst, err := durable.Open(to, opts...)
			if err != nil {
				return err
			}
			return durable.MoveAcross(t.Context(), src, "a", dst, ".part", "a", want)
		}
		_ = moved(durable.WithHook(c.Hook))
		source, target := durabletest.Read(t, filepath.Join(from, "a")), durabletest.Read(t, filepath.Join(to, "a"))
		if source != text && target != text {
			t.Fatalf("lost: %q, %q", source, target)
		}
		if target != "" && target != text {
			t.Errorf("half a target: %q", target)
		}
		if err := moved(); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(to, "a"))
		if err != nil || !info.ModTime().Equal(old) || durabletest.Read(t, filepath.Join(to, "a")) != text {
			t.Errorf("after the second run: %v, %v", info, err)
		}
	})
}

func TestCopyAcrossRefusesOtherContent(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	durabletest.Write(t, filepath.Join(from, "a"), "changed")
	err := durable.MoveAcross(t.Context(), durabletest.Dir(t, from), "a", durabletest.Dir(t, to), ".part", "a", durable.Content{Size: 7})
	if !errors.Is(err, durable.ErrMismatch) || names(t, from) != "a" || names(t, to) != "" {
		t.Errorf("got %v; %s; %s", err, names(t, from), names(t, to))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := durable.Digest(ctx, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestMoveTellsAnotherFileSystem(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	durabletest.Write(t, filepath.Join(from, "a"), "a")
	src := durabletest.Dir(t, from)
	to, ok := durabletest.Tmpfs(t, "size=1m")
	if !ok {
		to = t.TempDir()
		src = durabletest.Dir(t, from, durable.WithHook(durabletest.Failing(durable.OpRenameNoReplace, syscall.EXDEV)))
	}
	if err := durable.Move(src, "a", durabletest.Dir(t, to), "a"); !errors.Is(err, durable.ErrCrossDevice) {
		t.Errorf("got %v", err)
	}
}

func TestMkdirAllIsRepeatableAndListStreams(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := durabletest.Dir(t, path)
	for range 2 {
		if err := d.MkdirAll("a/b/c"); err != nil {
			t.Fatal(err)
		}
	}
	const many = 3000 // more than one batch
	for i := range many {
		durabletest.Write(t, filepath.Join(path, "a/b/c", fmt.Sprintf("%05d", i)), "")
	}
	seen := map[string]bool{}
	for e, err := range d.List("a/b/c") {
		if err != nil {
			t.Fatal(err)
		}
		seen[e.Name] = true
	}
	if len(seen) != many {
		t.Errorf("got %d names", len(seen))
	}
	for range d.List("a/b/c") {
		break // stopping early is no fault
	}
	sorted, err := d.ListSorted("a/b/c")
	if err != nil || len(sorted) != many || sorted[0].Name != "00000" || sorted[many-1].Name != "02999" {
		t.Errorf("sorted: %d, %v", len(sorted), err)
	}
	for _, err := range d.List("none") {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
	if err := d.Remove("a/b/c"); err == nil {
		t.Error("Remove removed a directory")
	}
	if err := d.RemoveDir("a/b/c"); err == nil {
		t.Error("RemoveDir removed a directory with files")
	}
}

func TestCreateDoesNotWriteThroughALink(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	durabletest.Write(t, filepath.Join(path, "victim"), "safe")
	if err := os.Symlink("victim", filepath.Join(path, "part")); err != nil {
		t.Fatal(err)
	}
	f, err := durabletest.Dir(t, path).Create("part")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "new"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := durabletest.Read(t, filepath.Join(path, "victim")); got != "safe" {
		t.Errorf("victim: %q", got)
	}
}

func names(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.Name()
	}
	return strings.Join(all, " ")
}

func TestWhatIsMadeOnTheWayIntoADirectoryIsSyncedOnce(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	var made, synced []string
	d := durabletest.Dir(t, path, durable.WithHook(func(op durable.Op, name string) error {
		if op == durable.OpMkdir {
			made = append(made, name)
		}
		if op == durable.OpSyncDir {
			synced = append(synced, name)
		}
		return nil
	}))
	move := func(name string, wantMade, wantSynced string) {
		t.Helper()
		durabletest.Write(t, filepath.Join(path, name), name)
		made, synced = nil, nil
		if err := durable.MoveInto(d, name, d, "2026/11/"+name+"/"+name); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(made, " "); got != wantMade {
			t.Errorf("%s: made %q, want %q", name, got, wantMade)
		}
		if got := strings.Join(synced, " "); got != wantSynced {
			t.Errorf("%s: synced %q, want %q", name, got, wantSynced)
		}
		if got, err := os.ReadFile(filepath.Join(path, "2026/11", name, name)); err != nil || string(got) != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	move("a", "2026 2026/11 2026/11/a", ". 2026 2026/11 2026/11/a .")
	move("b", "2026/11/b", "2026/11 2026/11/b .")
	if err := os.RemoveAll(filepath.Join(path, "2026")); err != nil {
		t.Fatal(err)
	}
	move("c", "2026 2026/11 2026/11/c", ". 2026 2026/11 2026/11/c .")
	if err := os.Mkdir(filepath.Join(path, "2026/11/d"), 0o700); err != nil { // by a run that crashed
		t.Fatal(err)
	}
	move("d", "2026/11/d", "2026/11 2026/11/d .")
	if err := durable.MoveInto(d, "none", d, "2026/11/none/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// Whoever clears away what is empty may come at any moment.
func TestADirectoryThatIsClearedAwayMeanwhileIsMadeAgain(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	cleared := false
	d := durabletest.Dir(t, path, durable.WithHook(func(op durable.Op, name string) error {
		if op == durable.OpMkdir && name == "2026/11/a" && !cleared { // "2026/11" is open
			cleared = true
			return os.Remove(filepath.Join(path, "2026/11"))
		}
		return nil
	}))
	durabletest.Write(t, filepath.Join(path, "a"), "a")
	if err := os.MkdirAll(filepath.Join(path, "2026/11"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.MoveInto(d, "a", d, "2026/11/a/a"); err != nil || !cleared {
		t.Fatalf("cleared away %t, %v", cleared, err)
	}
	if got := durabletest.Read(t, filepath.Join(path, "2026/11/a/a")); got != "a" {
		t.Errorf("got %q", got)
	}
}

func TestNothingIsMovedThroughALink(t *testing.T) {
	t.Parallel()
	path, other := t.TempDir(), t.TempDir()
	d := durabletest.Dir(t, path)
	durabletest.Write(t, filepath.Join(path, "a"), "a")
	if err := os.Mkdir(filepath.Join(path, "2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"2026/a", "day"} {
		if err := os.Symlink(other, filepath.Join(path, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{"2026/a/a", "day/a/a"} {
		if err := durable.MoveInto(d, "a", d, to); err == nil || names(t, other) != "" || durabletest.Read(t, filepath.Join(path, "a")) != "a" {
			t.Errorf("%s: %v, %q behind the link", to, err, names(t, other))
		}
	}
}

func TestFilesGoWhereTheNameLeadsThoughTheDirectoryIsKeptOpen(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := durabletest.Dir(t, path)
	move := func(name string) {
		t.Helper()
		durabletest.Write(t, filepath.Join(path, name), name)
		to := "archive/day/" + name + "/" + name
		if err := durable.MoveInto(d, name, d, to); err != nil || durabletest.Read(t, filepath.Join(path, to)) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	day, elsewhere := filepath.Join(path, "archive", "day"), filepath.Join(path, "archive", "elsewhere")
	move("1")
	move("2")
	if err := os.Rename(day, elsewhere); err != nil { // by an operator
		t.Fatal(err)
	}
	move("3") // into one that is made anew
	if err := errors.Join(os.RemoveAll(day), os.Symlink("elsewhere", day)); err != nil {
		t.Fatal(err)
	}
	move("4") // a link that stays within
	if got := names(t, elsewhere); got != "1 2 4" {
		t.Errorf("what was moved away holds %q", got)
	}
	if err := errors.Join(os.Remove(day), os.Symlink(t.TempDir(), day)); err != nil {
		t.Fatal(err)
	}
	durabletest.Write(t, filepath.Join(path, "5"), "5")
	if err := durable.MoveInto(d, "5", d, "archive/day/5/5"); err == nil {
		t.Error("a file went out of the directory")
	}
}
