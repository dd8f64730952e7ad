package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Each reads the directory and looks at its entries by its descriptor, which is a
// fraction of what a look by durable's checked path costs: a rescan is hardly more
// than that when all is known, and its memory does not grow with the directory.
// The cores share it: each looker in turn reads some entries, and sifts them while
// the others read theirs.
func (d directory) Each(sift func([]Entry) []Entry, visit func(Entry) error) error {
	f, err := os.Open(d.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return durable.ErrNoDir
	case err != nil:
		return bare(err)
	}
	defer f.Close() //nolint:errcheck // read only
	r := reading{
		at: int(f.Fd()), sift: sift, left: make(chan []Entry),
		spare: min(mostLookers, runtime.GOMAXPROCS(0)),
	}
	r.begin()
	for entries := range r.left {
		for _, e := range entries {
			if err == nil {
				err = visit(e)
			}
		}
		if err != nil {
			r.stop()
		}
	}
	if err != nil {
		return err
	}
	return r.err
}

const (
	// mostLookers is how many cores are used at most.
	mostLookers = 8
	// readAtOnce is how many bytes of entries a looker reads at a time, and
	// worthSharing so many that it is likely that there are more for another one.
	readAtOnce   = 32 << 10
	worthSharing = 2 << 10
)

// reading is a directory being read by some lookers at once.
type reading struct {
	at   int
	sift func([]Entry) []Entry
	left chan []Entry // to be visited; closed by the last looker

	mu      sync.Mutex // held while entries are read, and for what follows
	ended   bool
	err     error
	spare   int // how many more lookers there may be
	running int
}

// begin makes a looker look; one that has found many begins the next. r.mu is held,
// or nobody looks yet.
func (r *reading) begin() {
	r.spare--
	r.running++
	go func() {
		defer r.leave()
		r.look()
	}()
}

// look reads and sifts until nothing is left to be read. It looks by a descriptor of
// its own: one for all is counted at every look, and the cores wait for each other
// for that.
func (r *reading) look() {
	at, err := unix.Openat(r.at, ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		at = r.at
	} else {
		defer unix.Close(at) //nolint:errcheck // nothing is read or written by it
	}
	buf := make([]byte, readAtOnce)
	var entries []Entry
	for n := r.read(buf); n > 0; n = r.read(buf) {
		entries = entriesIn(buf[:n], at, entries[:0])
		left := entries
		if r.sift != nil {
			left = r.sift(left)
		}
		if len(left) > 0 {
			r.left <- kept(left, r.at)
		}
	}
}

// read reads the next entries; 0: there are none.
func (r *reading) read(buf []byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.ended {
		n, err := unix.Getdents(r.at, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOTDIR):
			r.err = durable.ErrNoDir
		case err != nil:
			r.err = bare(err)
		case n > 0:
			if n >= worthSharing && r.spare > 0 {
				r.begin()
			}
			return n
		}
		r.ended = true
	}
	return 0
}

// stop ends the reading early.
func (r *reading) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

// leave ends a looker.
func (r *reading) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running--; r.running == 0 {
		close(r.left)
	}
}

// kept copies entries and their names, so that none of these that is kept holds the
// text of all, and has them looked at by dir from now on.
func kept(entries []Entry, dir int) []Entry {
	own, look := slices.Clone(entries), looker(dir)
	for i := range own {
		own[i].Name, own[i].look = strings.Clone(own[i].Name), look
	}
	return own
}

// bare strips the names that package os puts around an error.
func bare(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("read directory: %w", err)
}

// entriesIn appends to entries what the kernel gave of the directory dir: struct
// linux_dirent64, one after the other. Their names are parts of one text.
func entriesIn(buf []byte, dir int, entries []Entry) []Entry {
	const number, length, kind, name = 0, 16, 18, 19 // where they are in the structure
	text, look := string(buf), looker(dir)
	for at := 0; at+name < len(buf); {
		size := int(binary.NativeEndian.Uint16(buf[at+length:]))
		if size <= name || size > len(buf)-at {
			break
		}
		e, begin := buf[at:at+size], at+name
		at += size
		end := bytes.IndexByte(e[name:], 0)
		inode := binary.NativeEndian.Uint64(e[number:])
		if end < 0 || inode == 0 { // the latter is being removed
			continue
		}
		if name := text[begin : begin+end]; name != "." && name != ".." {
			entries = append(entries, Entry{Name: name, Type: kindOf(dir, name, e[kind]), Inode: inode, look: look})
		}
	}
	return entries
}

// kindOf tells the type of an entry; where the directory does not, the file does.
func kindOf(dir int, name string, dirent byte) fs.FileMode {
	switch dirent {
	case unix.DT_REG:
		return 0
	case unix.DT_DIR:
		return fs.ModeDir
	case unix.DT_LNK:
		return fs.ModeSymlink
	case unix.DT_UNKNOWN:
		var st unix.Stat_t
		if statAt(dir, name, &st) == nil {
			switch st.Mode & unix.S_IFMT {
			case unix.S_IFREG:
				return 0
			case unix.S_IFDIR:
				return fs.ModeDir
			}
		}
	}
	return fs.ModeIrregular
}

// looker looks at files in dir.
func looker(dir int) func(name string) (upload.Identity, error) {
	return func(name string) (upload.Identity, error) { return lookAt(dir, name) }
}

func lookAt(dir int, name string) (upload.Identity, error) {
	var st unix.Stat_t
	if err := statAt(dir, name, &st); err != nil {
		return upload.Identity{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return upload.Identity{}, durable.ErrNotRegular
	}
	return upload.Identity{
		Inode: st.Ino, Size: st.Size,
		ModTime: unix.TimespecToNsec(st.Mtim), ChangeTime: unix.TimespecToNsec(st.Ctim),
	}, nil
}

// statAt looks at a file in dir without following a link.
func statAt(dir int, name string, st *unix.Stat_t) error {
	for {
		if err := unix.Fstatat(dir, name, st, unix.AT_SYMLINK_NOFOLLOW); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
