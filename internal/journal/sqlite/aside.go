package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// SetAside renames a damaged journal in dir, so that the next Open makes a new
// one, and gives its new name: journal.db.damaged-<time>, its WAL and shared
// memory beside it under names that belong to it. Nothing being there is no fault.
//
// The database goes first: a WAL left behind by a crash in between belongs to no
// database any more and SQLite removes it, whereas a database without its WAL
// would pass for a whole one that is older.
func SetAside(dir string, now time.Time) (name string, err error) {
	held, err := takeLock(filepath.Join(dir, LockName))
	if err != nil {
		return "", fmt.Errorf("set the damaged journal aside: %w", err)
	}
	defer func() { err = errors.Join(err, held.release()) }()
	name = FileName + ".damaged-" + now.UTC().Format("20060102T150405Z")
	for n := 2; exists(filepath.Join(dir, name)); n++ {
		name = fmt.Sprintf("%s.damaged-%s.%d", FileName, now.UTC().Format("20060102T150405Z"), n)
	}
	for _, part := range []string{"", "-wal", "-shm"} {
		err := os.Rename(filepath.Join(dir, FileName+part), filepath.Join(dir, name+part))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("set the damaged journal aside: %w", err)
		}
	}
	return name, syncDir(dir)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
