package watch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Each visits every entry. It looks at the entries through one descriptor of the
// directory, a third of what a look by durable's checked path costs: that is the
// whole price of a rescan when all is known.
func (d directory) Each(visit func(Entry) error) error {
	f, err := os.Open(d.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return durable.ErrNoDir
	case err != nil:
		return bare(err)
	}
	defer f.Close() //nolint:errcheck // read only
	at := int(f.Fd())
	for {
		entries, err := f.ReadDir(1024)
		for _, e := range entries {
			look := func() (upload.Identity, error) { return lookAt(at, e.Name()) }
			if err := visit(Entry{Name: e.Name(), Type: e.Type(), Look: look}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, unix.ENOTDIR):
			return durable.ErrNoDir
		case err != nil:
			return bare(err)
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

func lookAt(dir int, name string) (upload.Identity, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return upload.Identity{}, err
		}
		break
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return upload.Identity{}, durable.ErrNotRegular
	}
	return upload.Identity{
		Inode: st.Ino, Size: st.Size,
		ModTime: unix.TimespecToNsec(st.Mtim), ChangeTime: unix.TimespecToNsec(st.Ctim),
	}, nil
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
