package settle

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func place(t *testing.T) (*durable.Dir, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := durable.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return d, path
}

func identity(t *testing.T, d *durable.Dir) upload.Identity {
	t.Helper()
	id, err := d.Look(name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestProbeSeesWriters(t *testing.T) {
	t.Parallel()
	d, path := place(t)
	id := identity(t, d)
	want := func(w Writer, when string) {
		t.Helper()
		if got, doubt := probeSystem(path, id); got != w {
			t.Errorf("%s: got %d (%s), want %d", when, got, doubt, w)
		}
	}
	if got, doubt := probeSystem(path, id); got == Unknown && doubt == ForeignFileSystem {
		t.Skip("the temporary directory is on a file system whose leases say nothing")
	}
	want(Nobody, "nobody")
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want(Nobody, "a reader")
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	want(Writing, "a writer")
	_ = w.Close()
	want(Nobody, "the writer is gone")

	w, err = os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := syscall.Mmap(int(w.Fd()), 0, 4, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	want(Writing, "a writable mapping without descriptor")
	_ = syscall.Munmap(m)
	want(Nobody, "unmapped")
}

func TestProbeLeavesNoLeaseBehind(t *testing.T) {
	t.Parallel()
	d, path := place(t)
	probeSystem(path, identity(t, d))
	w, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0) // fails if a lease stands
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
}

func TestProbeCannotSay(t *testing.T) {
	t.Parallel()
	d, path := place(t)
	id := identity(t, d)
	t.Run("of another file than was seen", func(t *testing.T) {
		other := id
		other.Inode++
		if w, doubt := probeSystem(path, other); w != Unknown || doubt != Moved {
			t.Errorf("got %d %s", w, doubt)
		}
	})
	t.Run("through a symbolic link", func(t *testing.T) {
		link := path + ".link"
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		if w, doubt := probeSystem(link, id); w != Unknown || doubt != Moved {
			t.Errorf("got %d %s", w, doubt)
		}
	})
	t.Run("of a pipe, and does not wait for it", func(t *testing.T) {
		pipe := path + ".pipe"
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		if w, _ := probeSystem(pipe, id); w != Unknown {
			t.Errorf("got %d", w)
		}
	})
	t.Run("on /proc and whatever else is not known", func(t *testing.T) {
		var st syscall.Stat_t
		if err := syscall.Stat("/proc/self/status", &st); err != nil {
			t.Fatal(err)
		}
		if w, doubt := probeSystem("/proc/self/status", upload.Identity{Inode: st.Ino}); w != Unknown || doubt != ForeignFileSystem {
			t.Errorf("got %d %s", w, doubt)
		}
	})
}

func TestRealDirectorySettles(t *testing.T) {
	t.Parallel()
	d, path := place(t)
	if err := os.WriteFile(path+".ok", []byte("rows=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Channels: map[upload.Channel]ChannelOptions{upload.Flu: {Dir: From(d), Mode: Marker, Quiet: 1}}})
	if got := run(t, s); got != "settled" {
		t.Errorf("got %s", got)
	}
}
