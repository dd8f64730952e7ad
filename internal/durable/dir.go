package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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
	seen os.FileInfo // of root, for lazy directories
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
	d.root = root
	return d, nil
}

// Path is the path given to Open.
func (d *Dir) Path() string { return d.path }

// Close lets go of the directory; operations after it fail (a lazy Dir opens again).
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	root := d.root
	if root == nil {
		return nil
	}
	if d.lazy {
		d.root, d.seen = nil, nil
	}
	return d.wrap(OpClose, root.Close())
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
	if err := d.before(op, name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.lazy {
		return d.root, nil
	}
	now, err := os.Stat(d.path)
	if err == nil && d.root != nil && os.SameFile(now, d.seen) {
		return d.root, nil
	}
	// The old root is not closed here: another goroutine may be using it. It is
	// closed when the last of them lets go of it.
	d.root, d.seen = nil, nil
	if err == nil {
		return d.reopen()
	}
	return nil, d.missing(err)
}

func (d *Dir) reopen() (*os.Root, error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, d.missing(err)
	}
	seen, err := root.Stat(".")
	if err != nil {
		_ = root.Close()
		return nil, d.missing(err)
	}
	d.root, d.seen = root, seen
	return root, nil
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
	root, err := d.at(OpLstat, name)
	if err != nil {
		return upload.Identity{}, err
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
	return d.wrap(OpRemove, unlinkAt(parent, path.Base(name), false))
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
	return d.wrap(OpRmdir, unlinkAt(parent, path.Base(name), true))
}

// SyncDir makes the names in the directory name ("." for the Dir itself) last.
func (d *Dir) SyncDir(name string) error {
	root, err := d.at(OpSyncDir, name)
	if err != nil {
		return err
	}
	f, err := root.Open(name)
	if err != nil {
		return d.wrap(OpSyncDir, err)
	}
	defer f.Close() //nolint:errcheck // read only
	return d.wrap(OpSyncDir, syncDirectory(f))
}

// MkdirAll makes the directory name and those above it, and makes them last.
// The parent of the last one is synced even if it was there already: a run that
// crashed may have made it just before.
func (d *Dir) MkdirAll(name string) error {
	name = path.Clean(name)
	if name == "." {
		return nil
	}
	above := path.Dir(name)
	if _, err := d.entry(above); errors.Is(err, fs.ErrNotExist) {
		if err := d.MkdirAll(above); err != nil {
			return err
		}
	}
	root, err := d.at(OpMkdir, name)
	if err != nil {
		return err
	}
	if err := root.Mkdir(name, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return d.wrap(OpMkdir, err)
	}
	return d.SyncDir(above)
}

func (d *Dir) entry(name string) (os.FileInfo, error) {
	root, err := d.at(OpLstat, name)
	if err != nil {
		return nil, err
	}
	info, err := root.Lstat(name)
	return info, d.wrap(OpLstat, err)
}

// FreeBytes is what an unprivileged program may still write to the file system.
func (d *Dir) FreeBytes() (int64, error) {
	root, err := d.at(OpStatfs, ".")
	if err != nil {
		return 0, err
	}
	f, err := root.Open(".")
	if err != nil {
		return 0, d.wrap(OpStatfs, err)
	}
	defer f.Close() //nolint:errcheck // read only
	free, err := freeBytes(f)
	return free, d.wrap(OpStatfs, err)
}

// parent opens the directory that holds name.
func (d *Dir) parent(name string) (*os.File, error) {
	root, err := d.at(OpOpenDir, path.Dir(name))
	if err != nil {
		return nil, err
	}
	return root.Open(path.Dir(name))
}
