package durable

import (
	"errors"
	"io/fs"
	"os"
	"path"
)

// handle is an open directory. The Dir's own is not the user's to close.
type handle struct {
	*os.File
	shared bool
}

// Close closes what is the user's.
func (h handle) Close() error {
	if h.shared {
		return nil
	}
	return h.File.Close()
}

// kept is a directory that stays open for what follows.
type kept struct {
	name string
	open *os.File
	at   inode
}

// usual is directory for one that file after file goes into: it is opened once, and
// used for as long as its name leads to it and no other is asked for.
func (d *Dir) usual(name string) (handle, error) {
	root, top, err := d.opened(OpOpenDir, name)
	if err != nil {
		return handle{}, err
	}
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	if last.open != nil && last.name == name {
		if now, err := inodeIn(top, name); err == nil && now == last.at {
			return handle{last.open, true}, nil
		}
	}
	h, err := openBelow(root, top, name)
	if err != nil || h.shared {
		return h, err
	}
	at, err := inodeOf(h.File)
	if err != nil {
		_ = h.Close()
		return handle{}, err
	}
	d.mu.Lock()
	d.last = kept{name, h.File, at} // the one before is closed when nobody uses it any more
	d.mu.Unlock()
	return handle{h.File, true}, nil
}

// parent opens the directory that holds name.
func (d *Dir) parent(name string) (handle, error) { return d.directory(path.Dir(name)) }

// directory opens the directory name; the Dir itself is open already.
func (d *Dir) directory(name string) (handle, error) {
	root, top, err := d.opened(OpOpenDir, name)
	if err != nil {
		return handle{}, err
	}
	return openBelow(root, top, name)
}

func openBelow(root *os.Root, top *os.File, name string) (handle, error) {
	if path.Clean(name) == "." {
		return handle{top, true}, nil
	}
	f, err := root.Open(name)
	return handle{f, false}, err
}

// within is an open directory, and the one above it.
type within struct{ dir, above handle }

func (w within) close() { _, _ = w.dir.Close(), w.above.Close() }

// makeAndOpen makes the directory name, and those above it where they are missing,
// and opens it. It gives those to be synced besides name and the one above it.
func (d *Dir) makeAndOpen(name string) (w within, touched []string, err error) {
	w, err = d.makeIn(name)
	if errors.Is(err, fs.ErrNotExist) {
		if touched, err = d.mkdirs(path.Dir(name)); err == nil {
			w, err = d.makeIn(name)
		}
	}
	return w, touched, d.wrap(OpMkdir, err)
}

// makeIn makes and opens a directory where the one above it is. Nothing is made in a
// directory that is removed meanwhile, though it is open.
func (d *Dir) makeIn(name string) (w within, err error) {
	if w.above, err = d.usual(path.Dir(name)); err != nil {
		return within{}, err
	}
	if err = d.mkdirIn(w.above, name); err == nil || errors.Is(err, fs.ErrExist) {
		w.dir, err = d.directoryIn(w.above, name)
	}
	if err != nil {
		_ = w.above.Close()
	}
	return w, err
}

// directoryIn opens the directory name in the one above it, which is open.
func (d *Dir) directoryIn(above handle, name string) (handle, error) {
	if err := d.before(OpOpenDir, name); err != nil {
		return handle{}, err
	}
	f, err := openDirAt(above.File, path.Base(name))
	return handle{f, false}, d.wrap(OpOpenDir, err)
}
