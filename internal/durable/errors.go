package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The errors that callers tell apart, besides those of io/fs.
var (
	// ErrNotRegular: the name is a directory, FIFO, device, socket or symbolic link.
	ErrNotRegular = errors.New("not a regular file")
	// ErrReadOnly: the file system is mounted read-only (EROFS).
	ErrReadOnly = errors.New("read-only file system")
	// ErrFull: no space or no quota is left (ENOSPC, EDQUOT).
	ErrFull = errors.New("no space left")
	// ErrNoDir: the directory itself is not there. It does not match
	// fs.ErrNotExist in operations on a lazy Dir: a directory that is not mounted
	// says nothing about the files in it.
	ErrNoDir = errors.New("directory does not exist")
	// ErrCrossDevice: source and target are on different file systems (EXDEV).
	ErrCrossDevice = errors.New("on another file system")
	// ErrNoReplace: the file system can rename without overwriting in no way we know.
	ErrNoReplace = errors.New("the file system cannot rename without overwriting")
	// ErrMismatch: copied bytes are not the expected ones.
	ErrMismatch = errors.New("content differs from what was expected")
)

// Error is a failed operation. Its text names the directory, not the file: file
// names are the hospital's and stay out of logs.
type Error struct {
	Op  Op
	Dir string
	Err error // the bare cause, usually a syscall.Errno
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s in %s: %v", e.Op, e.Dir, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches this package's errors by the system's error number.
func (e *Error) Is(target error) bool {
	var n syscall.Errno
	if !errors.As(e.Err, &n) {
		return false
	}
	switch target {
	case ErrFull:
		return n == syscall.ENOSPC || n == syscall.EDQUOT
	case ErrReadOnly:
		return n == syscall.EROFS
	case ErrCrossDevice:
		return n == syscall.EXDEV
	default:
		return false
	}
}

// wrap makes an Error of err and strips the names that package os puts around.
func (d *Dir) wrap(op Op, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok || errors.Is(err, ErrNoDir) {
		return err
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	} else if l, ok := errors.AsType[*os.LinkError](err); ok {
		err = l.Err
	} else if s, ok := errors.AsType[*os.SyscallError](err); ok {
		err = s.Err
	}
	return &Error{Op: op, Dir: d.path, Err: err}
}

// Fault classifies a file-system error as a local fault; what says in plain
// words what was being done, e.g. "archive the original". An error that holds a
// fault already is that fault. err must not be nil.
func Fault(err error, what string) *upload.Fault {
	if f, ok := errors.AsType[*upload.Fault](err); ok {
		return f
	}
	return upload.LocalFaultOf(reasonOf(err), what, err)
}

func reasonOf(err error) upload.Reason {
	failed, _ := errors.AsType[*Error](err)
	switch {
	case errors.Is(err, ErrNoDir):
		return upload.WatchDirMissing
	case errors.Is(err, ErrFull):
		return upload.DiskFull
	case errors.Is(err, ErrReadOnly):
		return upload.ReadOnly
	case errors.Is(err, fs.ErrPermission):
		return upload.PermissionDenied
	case errors.Is(err, ErrNotRegular):
		return upload.NotRegular
	case failed != nil && (failed.Op == OpOpen || failed.Op == OpRead):
		return upload.SourceUnreadable
	default:
		return upload.LocalFault
	}
}
