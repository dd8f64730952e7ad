package settle

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The file systems on which a lease answers for every possible writer: local
// ones whose writers all go through this kernel. On any other (NFS and SMB
// refuse a lease for reasons of their own, FUSE grants it unasked) the answer
// would be worth nothing, so it is not asked.
const (
	magicExt     = 0xEF53
	magicXFS     = 0x58465342
	magicBtrfs   = 0x9123683E
	magicTmpfs   = 0x01021994
	magicOverlay = 0x794C7630
	magicF2FS    = 0xF2F52010
	magicZFS     = 0x2FC12FC1
	magicBcache  = 0xCA451A4E
)

// probeSystem takes a read lease and gives it back at once: the kernel grants
// it exactly when no descriptor and no mapping of the file is open for writing.
// A writer's open waits for the microseconds that we hold it.
func probeSystem(path string, seen upload.Identity) (Writer, Doubt) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	switch {
	case errors.Is(err, unix.EAGAIN): // somebody holds a write lease (Samba does)
		return Writing, ""
	case err != nil:
		return Unknown, Moved
	}
	defer unix.Close(fd) //nolint:errcheck // opened for reading
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != seen.Inode {
		return Unknown, Moved
	}
	var fsys unix.Statfs_t
	if err := unix.Fstatfs(fd, &fsys); err != nil || !leasesAnswer(int64(fsys.Type)) { //nolint:unconvert // int32 on some platforms
		return Unknown, ForeignFileSystem
	}
	return lease(uintptr(fd))
}

func lease(fd uintptr) (Writer, Doubt) {
	_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case err == nil:
		_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK) // closing the descriptor would, too
		return Nobody, ""
	case errors.Is(err, unix.EAGAIN):
		return Writing, ""
	case errors.Is(err, unix.EACCES):
		return Unknown, NotOwner
	default:
		return Unknown, NoLeases
	}
}

func leasesAnswer(magic int64) bool {
	switch uint32(magic) { //nolint:gosec // magic numbers are 32 bits, sign-extended on some platforms
	case magicExt, magicXFS, magicBtrfs, magicTmpfs, magicOverlay, magicF2FS, magicZFS, magicBcache:
		return true
	default:
		return false
	}
}
