package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Op names one operation on the file system.
type Op string

// The operations.
const (
	OpOpenDir         Op = "open_dir"
	OpLstat           Op = "lstat"
	OpFstat           Op = "fstat"
	OpOpen            Op = "open"
	OpRead            Op = "read"
	OpCreate          Op = "create"
	OpWrite           Op = "write"
	OpTimes           Op = "times"
	OpSync            Op = "sync"
	OpClose           Op = "close"
	OpRename          Op = "rename"
	OpRenameNoReplace Op = "rename_noreplace"
	OpLink            Op = "link"
	OpRemove          Op = "remove"
	OpMkdir           Op = "mkdir"
	OpRmdir           Op = "rmdir"
	OpSyncDir         Op = "syncdir"
	OpReadDir         Op = "readdir"
	OpStatfs          Op = "statfs"
	OpAccess          Op = "access"
)

// Hook is asked before every operation; an error takes its place and the
// operation is not done. The name is relative to the directory.
type Hook func(op Op, name string) error

// Option changes how a Dir works.
type Option func(*Dir)

// WithHook puts hook before every operation; for tests.
func WithHook(hook Hook) Option { return func(d *Dir) { d.hook = hook } }

// WithLazy is for a watched directory, which may come and go: it need not exist
// yet, and it is opened anew whenever its path leads to another directory.
// While it is missing every operation fails with ErrNoDir.
func WithLazy() Option { return func(d *Dir) { d.lazy = true } }

// Dir is a directory. It is safe for use by several goroutines. Names are
// slash-separated and relative; none can lead out of the directory.
type Dir struct {
	path string
	hook Hook
	lazy bool

	mu   sync.Mutex
	root *os.Root
	top  *os.File // the directory itself, as long as root
	seen inode    // of root, for lazy directories
	last kept

	syncs syncs
}

// Open opens the directory at path. Unless WithLazy is given it must exist; the
// error then matches ErrNoDir and fs.ErrNotExist.
func Open(path string, opts ...Option) (*Dir, error) {
	d := &Dir{path: path}
	for _, o := range opts {
		o(d)
	}
	if d.lazy {
		return d, nil
	}
	if err := d.before(OpOpenDir, "."); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", ErrNoDir, d.wrap(OpOpenDir, err))
	case err != nil:
		return nil, d.wrap(OpOpenDir, err)
	}
	top, err := root.Open(".")
	if err != nil {
		_ = root.Close()
		return nil, d.wrap(OpOpenDir, err)
	}
	d.root, d.top = root, top
	return d, nil
}

// Path is the path given to Open.
func (d *Dir) Path() string { return d.path }

// Close lets go of the directory; operations after it fail (a lazy Dir opens again).
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	root, top := d.root, d.top
	if root == nil {
		return nil
	}
	_ = d.last.open.Close() // of none, it is an error
	d.last = kept{}
	if d.lazy {
		d.root, d.top = nil, nil
	}
	return d.wrap(OpClose, errors.Join(top.Close(), root.Close()))
}

// before asks the hook.
func (d *Dir) before(op Op, name string) error {
	if d.hook == nil {
		return nil
	}
	return d.wrap(op, d.hook(op, name))
}

// at gives the open root for op on name, after asking the hook.
func (d *Dir) at(op Op, name string) (*os.Root, error) {
	root, _, err := d.opened(op, name)
	return root, err
}

// opened is at, with the open directory itself.
func (d *Dir) opened(op Op, name string) (*os.Root, *os.File, error) {
	if err := d.before(op, name); err != nil {
		return nil, nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.lazy {
		return d.root, d.top, nil
	}
	now, err := inodeAt(d.path)
	if err == nil && d.root != nil && now == d.seen {
		return d.root, d.top, nil
	}
	// The old ones are not closed here: another goroutine may be using them. They
	// are closed when the last of them lets go of them.
	d.root, d.top = nil, nil
	if err != nil {
		return nil, nil, d.missing(err)
	}
	if err := d.reopen(); err != nil {
		return nil, nil, err
	}
	return d.root, d.top, nil
}

func (d *Dir) reopen() error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return d.missing(err)
	}
	top, err := root.Open(".")
	if err != nil {
		_ = root.Close()
		return d.missing(err)
	}
	seen, err := inodeOf(top)
	if err != nil {
		_, _ = top.Close(), root.Close()
		return d.missing(err)
	}
	d.root, d.top, d.seen = root, top, seen
	return nil
}

// missing says that the directory cannot be reached. It hides fs.ErrNotExist,
// which must only ever be said of a file.
func (d *Dir) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%s: %w", d.path, ErrNoDir)
	}
	return d.wrap(OpOpenDir, err)
}

// Look is the identity of the regular file name, without opening it. Anything
// else than a regular file is ErrNotRegular; a missing one fs.ErrNotExist.
func (d *Dir) Look(name string) (upload.Identity, error) {
	root, top, err := d.opened(OpLstat, name)
	if err != nil {
		return upload.Identity{}, err
	}
	if isBase(name) { // os.Root has nothing to watch over, and takes as long again
		id, err := lookAt(top, name)
		return id, d.wrap(OpLstat, err)
	}
	info, err := root.Lstat(name)
	if err != nil {
		return upload.Identity{}, d.wrap(OpLstat, err)
	}
	if !info.Mode().IsRegular() {
		return upload.Identity{}, d.wrap(OpLstat, ErrNotRegular)
	}
	return identityOf(info), nil
}

// isBase reports whether a name is that of something in the directory itself.
func isBase(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// Remove removes the file name (not a directory). The directory is not synced:
// call SyncDir when the removal must last.
func (d *Dir) Remove(name string) error {
	if err := d.before(OpRemove, name); err != nil {
		return err
	}
	parent, err := d.parent(name)
	if err != nil {
		return d.wrap(OpRemove, err)
	}
	defer parent.Close() //nolint:errcheck // a directory opened to name files in
	return d.wrap(OpRemove, unlinkAt(parent.File, path.Base(name), false))
}

// RemoveDir removes the directory name, which must be empty.
func (d *Dir) RemoveDir(name string) error {
	if err := d.before(OpRmdir, name); err != nil {
		return err
	}
	parent, err := d.parent(name)
	if err != nil {
		return d.wrap(OpRmdir, err)
	}
	defer parent.Close() //nolint:errcheck // a directory opened to name files in
	return d.wrap(OpRmdir, unlinkAt(parent.File, path.Base(name), true))
}

// SyncDir makes the names in the directory name ("." for the Dir itself) last.
// Calls for one directory that come while it is being synced share the next sync.
func (d *Dir) SyncDir(name string) error {
	if err := d.before(OpSyncDir, name); err != nil {
		return err
	}
	return d.syncs.together(path.Clean(name), func() error {
		f, err := d.directory(name)
		if err != nil {
			return d.wrap(OpSyncDir, err)
		}
		defer f.Close() //nolint:errcheck // read only
		return d.wrap(OpSyncDir, syncDirectory(f.File))
	})
}

// syncOpen is SyncDir of a directory that is open.
func (d *Dir) syncOpen(name string, h handle) error {
	if err := d.before(OpSyncDir, name); err != nil {
		return err
	}
	return d.syncs.together(path.Clean(name), func() error { return d.wrap(OpSyncDir, syncDirectory(h.File)) })
}

// MkdirAll makes the directory name and those above it, and makes them last.
// The parent of the last one is synced even if it was there already: a run that
// crashed may have made it just before.
func (d *Dir) MkdirAll(name string) error {
	touched, err := d.mkdirs(name)
	for _, dir := range touched {
		if err == nil {
			err = d.SyncDir(dir)
		}
	}
	return err
}

// mkdirs makes directories as MkdirAll does and gives those to be synced, the
// uppermost first.
func (d *Dir) mkdirs(name string) (touched []string, err error) {
	name = path.Clean(name)
	if name == "." {
		return nil, nil
	}
	above := path.Dir(name)
	err = d.mkdir(name)
	if errors.Is(err, fs.ErrNotExist) {
		if touched, err = d.mkdirs(above); err == nil {
			err = d.mkdir(name)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return append(touched, above), nil
}

func (d *Dir) mkdir(name string) error {
	parent, err := d.parent(name)
	if err != nil {
		return d.wrap(OpMkdir, err)
	}
	defer parent.Close() //nolint:errcheck // a directory opened to name files in
	return d.mkdirIn(parent, name)
}

func (d *Dir) mkdirIn(parent handle, name string) error {
	if err := d.before(OpMkdir, name); err != nil {
		return err
	}
	return d.wrap(OpMkdir, mkdirAt(parent.File, path.Base(name)))
}

// FreeBytes is what an unprivileged program may still write to the file system.
func (d *Dir) FreeBytes() (int64, error) {
	_, top, err := d.opened(OpStatfs, ".")
	if err != nil {
		return 0, err
	}
	free, err := freeBytes(top)
	return free, d.wrap(OpStatfs, err)
}

// MayWrite asks the kernel whether files may be made and removed here, and makes
// none. What it cannot know (a full disk, a server's own rules) ProbeWritable finds.
func (d *Dir) MayWrite() error {
	_, top, err := d.opened(OpAccess, ".")
	if err != nil {
		return err
	}
	return d.wrap(OpAccess, mayWrite(top))
}
