package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
)

// lock is the right of this process to the state directory.
type lock struct{ file *os.File }

// takeLock locks the file and writes into it who holds it. The process id alone
// would say little: in containers it is 1 on either side.
func takeLock(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		defer func() { _ = f.Close() }()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s holds %s", journal.ErrInUse, holder(f), path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	host, _ := os.Hostname()
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintf("pid %d on %s\n", os.Getpid(), host))); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
	}
	return &lock{f}, nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// holder reads who wrote the lock file.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 300))
	if who := strings.TrimSpace(string(b)); err == nil && who != "" {
		return who
	}
	return "another process"
}

// release gives up the lock; the file stays, since removing it would let two
// processes lock two files of the same name. Closing alone is not enough: a
// process being forked at this moment has the descriptor too.
func (l *lock) release() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}
