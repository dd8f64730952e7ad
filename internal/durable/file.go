package durable

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// File is an open regular file, either for reading (OpenRead) or for writing
// (Create). It is for one goroutine at a time, except ReadAt.
type File struct {
	dir  *Dir
	name string
	f    *os.File
}

// OpenRead opens the regular file name for reading; never for writing, never
// through a symbolic link, never waiting on a FIFO (ErrNotRegular at once).
func (d *Dir) OpenRead(name string) (*File, error) {
	if err := d.before(OpOpen, name); err != nil {
		return nil, err
	}
	parent, err := d.parent(name)
	if err != nil {
		return nil, d.wrap(OpOpen, err)
	}
	defer parent.Close() //nolint:errcheck // a directory opened to name files in
	f, err := openAt(parent.File, path.Base(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, d.wrap(OpOpen, err)
	}
	return &File{dir: d, name: name, f: f}, nil
}

// Create makes the file name anew, for writing. What a run that crashed left
// under that name is removed, not written into: it could be a link.
func (d *Dir) Create(name string) (*File, error) {
	f, err := d.create(name)
	if errors.Is(err, fs.ErrExist) {
		if err = d.Remove(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			f, err = d.create(name)
		}
	}
	return f, err
}

func (d *Dir) create(name string) (*File, error) {
	if err := d.before(OpCreate, name); err != nil {
		return nil, err
	}
	parent, err := d.parent(name)
	if err != nil {
		return nil, d.wrap(OpCreate, err)
	}
	defer parent.Close() //nolint:errcheck // a directory opened to name files in
	f, err := openAt(parent.File, path.Base(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, d.wrap(OpCreate, err)
	}
	return &File{dir: d, name: name, f: f}, nil
}

// OpenAppend opens the file name for writing at its end, and makes it, readable
// by its owner alone, if it is not there. Sync the directory when it must last.
func (d *Dir) OpenAppend(name string) (*File, error) {
	if err := d.before(OpCreate, name); err != nil {
		return nil, err
	}
	parent, err := d.parent(name)
	if err != nil {
		return nil, d.wrap(OpCreate, err)
	}
	defer parent.Close() //nolint:errcheck // a directory opened to name files in
	f, err := openAt(parent.File, path.Base(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, d.wrap(OpCreate, err)
	}
	return &File{dir: d, name: name, f: f}, nil
}

// Name is the name the file was opened under.
func (f *File) Name() string { return f.name }

// Read implements io.Reader.
func (f *File) Read(p []byte) (int, error) {
	if err := f.dir.before(OpRead, f.name); err != nil {
		return 0, err
	}
	n, err := f.f.Read(p)
	return n, f.reading(err)
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if err := f.dir.before(OpRead, f.name); err != nil {
		return 0, err
	}
	n, err := f.f.ReadAt(p, off)
	return n, f.reading(err)
}

// Seek implements io.Seeker.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	n, err := f.f.Seek(offset, whence)
	return n, f.reading(err)
}

// reading leaves io.EOF as it is.
func (f *File) reading(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); !ok {
		return err
	}
	return f.dir.wrap(OpRead, err)
}

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) {
	if err := f.dir.before(OpWrite, f.name); err != nil {
		return 0, err
	}
	n, err := f.f.Write(p)
	return n, f.dir.wrap(OpWrite, err)
}

// Identity is the open file's identity.
func (f *File) Identity() (upload.Identity, error) {
	if err := f.dir.before(OpFstat, f.name); err != nil {
		return upload.Identity{}, err
	}
	id, err := lookInto(f.f)
	return id, f.dir.wrap(OpFstat, err)
}

// SetModTime gives a file made with Create the modification time of another.
func (f *File) SetModTime(t time.Time) error {
	if err := f.dir.before(OpTimes, f.name); err != nil {
		return err
	}
	return f.dir.wrap(OpTimes, setTimes(f.f, t))
}

// Sync makes the file's bytes last.
func (f *File) Sync() error {
	if err := f.dir.before(OpSync, f.name); err != nil {
		return err
	}
	return f.dir.wrap(OpSync, f.f.Sync())
}

// Close closes the file; a second time is no fault. Network file systems report
// a full disk here.
func (f *File) Close() error {
	refused := f.dir.before(OpClose, f.name)
	err := f.f.Close() // in any case: the descriptor is ours
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	if refused != nil {
		return refused
	}
	return f.dir.wrap(OpClose, err)
}

// Discard closes and removes a file made with Create. It is for cleaning up
// after a failure, so it reports nothing.
func (f *File) Discard() {
	_ = f.Close()
	_ = f.dir.Remove(f.name)
}

// Commit gives the file made with Create its final name, replacing what has it:
// fsync, close, rename, fsync of the directory. After a failure the temporary
// file is removed as far as possible.
func (d *Dir) Commit(f *File, final string) error { return d.commit(f, final, d.Rename) }

// CommitNoReplace is Commit that fails with fs.ErrExist rather than replacing.
func (d *Dir) CommitNoReplace(f *File, final string) error {
	return d.commit(f, final, d.RenameNoReplace)
}

func (d *Dir) commit(f *File, final string, rename func(from, to string) error) error {
	err := f.Sync()
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = rename(f.name, final)
	}
	if err != nil {
		f.Discard()
	}
	return err
}

// WriteFile makes or replaces the file name with data, as a whole or not at all.
// temp is the name to write under, in the same directory.
func (d *Dir) WriteFile(temp, name string, data []byte) error {
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Discard()
		return err
	}
	return d.Commit(f, name)
}

// ProbeWritable finds out whether files can be made and removed here, by doing
// so under a dotted name that no watcher takes.
func (d *Dir) ProbeWritable() error {
	name := ".hqms-probe-" + upload.NewUUID(time.Now())
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte("probe\n"))
	if closing := f.Close(); err == nil {
		err = closing
	}
	if removing := d.Remove(name); err == nil {
		err = removing
	}
	if errors.Is(err, syscall.ENOENT) {
		return nil // somebody cleaned up before us: it could be written
	}
	return err
}
