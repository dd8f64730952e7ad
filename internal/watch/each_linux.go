package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Each visits every entry. It reads the directory and looks at the entries through
// one descriptor and out of one buffer, a fraction of what a look by durable's
// checked path costs: that is the whole price of a rescan when all is known, and
// memory does not grow with the directory. The looks, which are most of it, are
// shared by some cores.
func (d directory) Each(wanted func(string) bool, visit func(Entry) error) error {
	f, err := os.Open(d.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return durable.ErrNoDir
	case err != nil:
		return bare(err)
	}
	defer f.Close() //nolint:errcheck // read only
	r := reading{at: int(f.Fd()), buf: make([]byte, 64<<10)}
	var batch []looked
	at := 0
	look := func(name string) (upload.Identity, error) {
		if e := &batch[at]; e.wanted {
			return e.id, e.err
		}
		return lookAt(r.at, name)
	}
	for {
		more, err := r.fill()
		switch {
		case errors.Is(err, unix.ENOTDIR):
			return durable.ErrNoDir
		case err != nil:
			return bare(err)
		case !more:
			return nil
		}
		batch = batch[:0]
		for r.next() {
			batch = append(batch, looked{name: string(r.name), kind: r.kind})
			if e := &batch[len(batch)-1]; wanted != nil {
				e.wanted = wanted(e.name)
			}
		}
		lookAll(r.at, batch)
		for at = range batch {
			if err := visit(Entry{Name: batch[at].name, Type: batch[at].kind, look: look}); err != nil {
				return err
			}
		}
	}
}

// looked is an entry that has been looked at, if that was wanted.
type looked struct {
	name   string
	kind   fs.FileMode
	wanted bool
	id     upload.Identity
	err    error
}

const (
	// lookers is how many cores are used at most, and lookedAt how many looks are
	// worth the while of one more.
	lookers  = 8
	lookedAt = 128
)

// lookAll looks at each of the entries that are wanted.
func lookAll(dir int, all []looked) {
	cores := min(lookers, runtime.GOMAXPROCS(0))
	share := max((len(all)+cores-1)/cores, lookedAt)
	var others sync.WaitGroup
	for len(all) > share {
		part := all[:share]
		all = all[share:]
		others.Go(func() { lookEach(dir, part) })
	}
	lookEach(dir, all)
	others.Wait()
}

func lookEach(dir int, all []looked) {
	for i := range all {
		if all[i].wanted {
			all[i].id, all[i].err = lookAt(dir, all[i].name)
		}
	}
}

// bare strips the names that package os puts around an error.
func bare(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("read directory: %w", err)
}

// reading is a directory being read: entries as the kernel gives them (struct
// linux_dirent64), one after the other.
type reading struct {
	at   int
	buf  []byte
	rest []byte

	name []byte // of the present entry; in buf
	kind fs.FileMode
}

// fill reads the next entries; false: there are none.
func (r *reading) fill() (bool, error) {
	for {
		n, err := unix.Getdents(r.at, r.buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		r.rest = r.buf[:max(n, 0)]
		return n > 0, err
	}
}

// next goes to the next of the entries read.
func (r *reading) next() bool {
	const ino, length, kind, name = 0, 16, 18, 19 // where they are in the structure
	for len(r.rest) > name {
		size := int(binary.NativeEndian.Uint16(r.rest[length:]))
		if size <= name || size > len(r.rest) {
			return false
		}
		e := r.rest[:size]
		r.rest = r.rest[size:]
		text := e[name:]
		end := bytes.IndexByte(text, 0)
		if end < 0 || binary.NativeEndian.Uint64(e[ino:]) == 0 { // the latter is being removed
			continue
		}
		if r.name = text[:end]; end <= 2 && (string(r.name) == "." || string(r.name) == "..") {
			continue
		}
		r.kind = r.kindOf(e[kind])
		return true
	}
	return false
}

// kindOf tells the type of the present entry; where the directory does not, the
// file does.
func (r *reading) kindOf(dirent byte) fs.FileMode {
	switch dirent {
	case unix.DT_REG:
		return 0
	case unix.DT_DIR:
		return fs.ModeDir
	case unix.DT_LNK:
		return fs.ModeSymlink
	case unix.DT_UNKNOWN:
		var st unix.Stat_t
		if statAt(r.at, string(r.name), &st) == nil {
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

// fileSystem names the file system that dir is on. On a network one, files may
// be written by machines of which no event tells.
func fileSystem(dir string) (name string, network bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", false
	}
	switch magic := uint32(st.Type); magic { //nolint:gosec // magic numbers are 32 bits, sign-extended on some platforms
	case 0xEF53:
		return "ext4", false
	case 0x58465342:
		return "xfs", false
	case 0x9123683E:
		return "btrfs", false
	case 0x01021994:
		return "tmpfs", false
	case 0x794C7630:
		return "overlay", false
	case 0xF2F52010:
		return "f2fs", false
	case 0x2FC12FC1:
		return "zfs", false
	case 0x6969:
		return "nfs", true
	case 0x517B, 0xFF534D42, 0xFE534D42:
		return "smb", true
	case 0x65735546:
		return "fuse", true
	case 0x01021997:
		return "9p", true
	case 0x00C36400:
		return "ceph", true
	case 0x47504653:
		return "gpfs", true
	case 0x0BD00BD0:
		return "lustre", true
	case 0x5346414F, 0x6B414653:
		return "afs", true
	default:
		return fmt.Sprintf("0x%x", magic), false
	}
}
