package durable

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// This file holds all that depends on the operating system.

func identityOf(info os.FileInfo) upload.Identity {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return upload.Identity{Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	}
	return upload.Identity{
		Inode: st.Ino, Size: st.Size,
		ModTime: unix.TimespecToNsec(unix.Timespec(st.Mtim)), ChangeTime: unix.TimespecToNsec(unix.Timespec(st.Ctim)),
	}
}

func identityIn(st *unix.Stat_t) upload.Identity {
	return upload.Identity{Inode: st.Ino, Size: st.Size, ModTime: unix.TimespecToNsec(st.Mtim), ChangeTime: unix.TimespecToNsec(st.Ctim)}
}

// lookAt looks at the regular file name in dir itself. Each file is looked at a
// dozen times; unlike os.Lstat it leaves no garbage.
func lookAt(dir *os.File, name string) (upload.Identity, error) {
	var st unix.Stat_t
	err := uninterrupted(func() error { return unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	runtime.KeepAlive(dir)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = ErrNotRegular
	}
	if err != nil {
		return upload.Identity{}, err
	}
	return identityIn(&st), nil
}

// lookInto is the identity of an open file.
func lookInto(f *os.File) (upload.Identity, error) {
	var st unix.Stat_t
	if err := uninterrupted(func() error { return unix.Fstat(int(f.Fd()), &st) }); err != nil {
		return upload.Identity{}, err
	}
	return identityIn(&st), nil
}

// inode tells directories apart.
type inode struct{ device, number uint64 }

func inodeAt(path string) (inode, error) {
	var st unix.Stat_t
	err := uninterrupted(func() error { return unix.Stat(path, &st) })
	return inode{st.Dev, st.Ino}, err
}

// inodeIn is that of a directory below dir, or of what a link there leads to: of an
// open one it tells for sure whether it is still there.
func inodeIn(dir *os.File, name string) (inode, error) {
	var st unix.Stat_t
	err := uninterrupted(func() error { return unix.Fstatat(int(dir.Fd()), name, &st, 0) })
	runtime.KeepAlive(dir)
	return inode{st.Dev, st.Ino}, err
}

func inodeOf(f *os.File) (inode, error) {
	var st unix.Stat_t
	err := uninterrupted(func() error { return unix.Fstat(int(f.Fd()), &st) })
	return inode{st.Dev, st.Ino}, err
}

// uninterrupted repeats a call that a signal broke off; FUSE and NFS do so.
func uninterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// openAt opens name in dir, never through a symbolic link and never waiting for
// the other end of a FIFO.
func openAt(dir *os.File, name string, flags int, mode uint32) (*os.File, error) {
	fd, err := descriptorAt(dir, name, flags|unix.O_NONBLOCK, mode)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EISDIR) {
		return nil, ErrNotRegular
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		_ = unix.Close(fd)
		if err == nil {
			err = ErrNotRegular
		}
		return nil, err
	}
	_ = unix.SetNonblock(fd, false) // means nothing for a regular file, but misleads package os
	return os.NewFile(uintptr(fd), name), nil
}

// openDirAt opens the directory name in dir, not through a symbolic link.
func openDirAt(dir *os.File, name string) (*os.File, error) {
	fd, err := descriptorAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// descriptorAt opens name in dir, not through a symbolic link.
func descriptorAt(dir *os.File, name string, flags int, mode uint32) (fd int, err error) {
	err = uninterrupted(func() (err error) {
		fd, err = unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

func renameAt(from *os.File, name string, to *os.File, target string) error {
	return uninterrupted(func() error { return unix.Renameat(int(from.Fd()), name, int(to.Fd()), target) })
}

func renameNoReplaceAt(from *os.File, name string, to *os.File, target string) error {
	return uninterrupted(func() error {
		return unix.Renameat2(int(from.Fd()), name, int(to.Fd()), target, unix.RENAME_NOREPLACE)
	})
}

// unsupported tells an operation that the file system does not know from one that failed.
func unsupported(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)
}

func linkAt(from *os.File, name string, to *os.File, target string) error {
	return uninterrupted(func() error { return unix.Linkat(int(from.Fd()), name, int(to.Fd()), target, 0) })
}

func unlinkAt(dir *os.File, name string, directory bool) error {
	flags := 0
	if directory {
		flags = unix.AT_REMOVEDIR
	}
	return uninterrupted(func() error { return unix.Unlinkat(int(dir.Fd()), name, flags) })
}

func mkdirAt(dir *os.File, name string) error {
	return uninterrupted(func() error { return unix.Mkdirat(int(dir.Fd()), name, 0o750) })
}

// sameFile reports whether both names are one file, of whatever type.
func sameFile(from *os.File, name string, to *os.File, target string) bool {
	var a, b unix.Stat_t
	if unix.Fstatat(int(from.Fd()), name, &a, unix.AT_SYMLINK_NOFOLLOW) != nil ||
		unix.Fstatat(int(to.Fd()), target, &b, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return false
	}
	return a.Dev == b.Dev && a.Ino == b.Ino
}

// syncDirectory syncs an open directory. File systems that cannot (some FUSE
// and SMB mounts) say EINVAL; there is nothing more one could do there.
func syncDirectory(f *os.File) error {
	err := f.Sync()
	if unsupported(err) {
		return nil
	}
	return err
}

func setTimes(f *os.File, mtime time.Time) error {
	t := unix.NsecToTimeval(mtime.UnixNano())
	return unix.Futimes(int(f.Fd()), []unix.Timeval{t, t})
}

// mayWrite says of a read-only mount that it is read-only, whoever asks, as
// making a file would; faccessat alone looks at the owner first.
func mayWrite(f *os.File) error {
	var st unix.Statfs_t
	if err := uninterrupted(func() error { return unix.Fstatfs(int(f.Fd()), &st) }); err != nil {
		return err
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return unix.EROFS
	}
	return uninterrupted(func() error { return unix.Faccessat(int(f.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS) })
}

func freeBytes(f *os.File) (int64, error) {
	var st unix.Statfs_t
	if err := uninterrupted(func() error { return unix.Fstatfs(int(f.Fd()), &st) }); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil //nolint:gosec // no file system has 2⁶³ blocks
}
