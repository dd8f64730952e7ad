package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
)

const (
	// FileName is the database's name in the state directory.
	FileName = "journal.db"
	// LockName is the lock file's name in the state directory.
	LockName = "journal.lock"

	readers = 4
)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the journal in dir, makes it if there is none, checks it for damage
// and brings its schema up to date. Close the journal to release the directory.
func Open(ctx context.Context, dir string, o journal.Options) (*journal.Journal, error) {
	j, err := open(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

// OpenReadOnly opens the journal in dir to be looked at, also beside a process
// that works on it. Nothing is checked, migrated or changed.
func OpenReadOnly(ctx context.Context, dir string) (*journal.Journal, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal to read: %w", err)
	}
	db, err := openPool(dsn(filepath.Join(dir, FileName), url.Values{"mode": {"ro"}, "_query_only": {"1"}}))
	if err != nil {
		return nil, fmt.Errorf("open journal to read: %w", err)
	}
	return journal.New(ctx, journal.Store{Write: db, Read: db, Dialect: journal.Dialect{Classify: classify, Verify: verify}}, journal.Options{ReadOnly: true})
}

func open(ctx context.Context, dir string, o journal.Options) (*journal.Journal, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	held, err := takeLock(filepath.Join(dir, LockName))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, FileName)
	store, err := openPools(path, held)
	if err != nil {
		return nil, errors.Join(err, held.release())
	}
	if err := prepare(ctx, store.Write); err != nil {
		return nil, errors.Join(err, store.Read.Close(), store.Write.Close(), held.release())
	}
	return journal.New(ctx, store, o)
}

// openPools makes the file, readable by its owner alone, before SQLite sees it
// (never after: see the package comment), and both pools.
func openPools(path string, held *lock) (journal.Store, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		if err := f.Close(); err != nil {
			return journal.Store{}, err
		}
	case !errors.Is(err, fs.ErrExist):
		return journal.Store{}, err
	}
	write, err := openPool(dsn(path, url.Values{"_txlock": {"immediate"}}))
	if err != nil {
		return journal.Store{}, err
	}
	write.SetMaxOpenConns(1)
	read, err := openPool(dsn(path, url.Values{"_query_only": {"1"}}))
	if err != nil {
		return journal.Store{}, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return journal.Store{
		Write: write, Read: read, Release: held.release,
		Dialect: journal.Dialect{OneWriter: true, Lightly: lightly, Classify: classify, Verify: verify, Rest: rest},
	}, nil
}

// dsn names the file and what holds for every connection to it.
func dsn(path string, more url.Values) string {
	more["_pragma"] = []string{
		"busy_timeout(5000)",
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(1)",
		"temp_store(MEMORY)",
		"journal_size_limit(67108864)",
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: more.Encode()}
	return u.String()
}

// lightly changes whether commits wait for the disk. In WAL mode those that do
// not are never torn, only lost, together with all that came after them.
func lightly(ctx context.Context, write *sql.DB, lightly bool) error {
	level := "FULL"
	if lightly {
		level = "NORMAL"
	}
	_, err := write.ExecContext(ctx, `PRAGMA synchronous = `+level)
	return err
}

// prepare makes the database fit for use: whole, and of our schema.
func prepare(ctx context.Context, db *sql.DB) error {
	if err := checkAtStart(ctx, db); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return damage(fmt.Errorf("read schema version: %w", err))
	}
	if current > known {
		return fmt.Errorf("%w: its schema is %d, this one knows %d", journal.ErrTooNew, current, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return damage(fmt.Errorf("migrate: %w", err))
	}
	return nil
}
