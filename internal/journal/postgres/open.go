package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
)

const (
	// conns is how many connections a replica uses at most, besides the one that
	// listens: PostgreSQL allows 100 in all by default.
	conns     = 10
	idleConns = 6
	idleTime  = 5 * time.Minute
	// patience is how long one transaction or question may take.
	patience = 20 * time.Second
	// startPatience is how long the start waits for a database that is away.
	startPatience = time.Minute
	startPause    = 500 * time.Millisecond
	// versionTable is where goose keeps the schema's version.
	versionTable = "schema_versions"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options say which database, and how the journal behaves.
type Options struct {
	journal.Options
	// URL gives the database's address (postgres://…) as it is now: it is asked
	// before each new connection, so that a changed password is taken up.
	URL    func() string
	Logger *slog.Logger     // nil: discarded
	Now    func() time.Time // nil: time.Now
}

// errURL says nothing of the address: it holds a password.
var errURL = errors.New("DATABASE_URL is not the address of a PostgreSQL database")

// Open opens the journal in the database, waits for it if it is away, and brings
// its schema up to date.
func Open(ctx context.Context, o Options) (*journal.Journal, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	j, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

func open(ctx context.Context, o Options) (*journal.Journal, error) {
	d, err := newDialer(o)
	if err != nil {
		return nil, err
	}
	var j *journal.Journal
	err = patiently(ctx, o.Logger, func() (err error) {
		j, err = begin(ctx, d, o)
		return err
	})
	return j, err
}

// begin makes the database fit for use and the journal of it.
func begin(ctx context.Context, d *dialer, o Options) (*journal.Journal, error) {
	db, f := d.pool(), newFollower(d)
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := f.measure(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("compare clocks: %w", err), db.Close())
	}
	return journal.New(ctx, journal.Store{
		Write: db, Read: db,
		Dialect: journal.Dialect{
			Rebind: rebind, ForUpdate: " FOR UPDATE", SkipLocked: " FOR UPDATE SKIP LOCKED", Classify: classify, Patience: patience,
		},
		Shared: &journal.Shared{
			Follow: f.run, Turn: turns{db}.take,
			Now: f.now, Compare: func(ctx context.Context) error { return f.measure(ctx, db) },
		},
	}, o.Options)
}

// patiently does it again and again while the database is away, for at most startPatience.
func patiently(ctx context.Context, log *slog.Logger, do func() error) error {
	waiting, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for said := false; ; said = true {
		err := do()
		if err == nil || !worthWaiting(err) {
			return err
		}
		if !said {
			log.Warn("database is away; waiting for it", slog.String("error", err.Error()))
		}
		pause := time.NewTimer(startPause)
		select {
		case <-pause.C:
		case <-waiting.Done():
			pause.Stop()
			return err
		}
	}
}

// worthWaiting tells a database that is away from one that will not have us.
func worthWaiting(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case strings.HasPrefix(e.Code, "28"), strings.HasPrefix(e.Code, "3D"): // who we are, what we ask for
			return false
		}
	}
	return classify(err) == journal.Unavailable
}

// migrate brings the schema up to date, one process at a time.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return migrateTo(ctx, db, files)
}

func migrateTo(ctx context.Context, db *sql.DB, files fs.FS) error {
	store, err := database.NewStore(database.DialectPostgres, versionTable)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider("", db, files, goose.WithStore(store), goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(schemaLock{}))
	if err != nil {
		return err
	}
	current, known, err := versions(ctx, db, provider)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > known {
		return readable(ctx, db, current, known)
	}
	if current == known {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// versions are those of the database and of this release. A database without
// any has version 0: goose would make its table, outside of the lock.
func versions(ctx context.Context, db *sql.DB, p *goose.Provider) (current, known int64, err error) {
	for _, s := range p.ListSources() {
		known = max(known, s.Version)
	}
	var there bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass('`+versionTable+`') IS NOT NULL`).Scan(&there); err != nil || !there {
		return 0, known, err
	}
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+versionTable+` WHERE is_applied`).Scan(&current)
	return current, known, err
}

// readable says whether this release can work with a newer one's schema.
func readable(ctx context.Context, db *sql.DB, current, known int64) error {
	var text string
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'schema_readable_from'`).Scan(&text)
	if err != nil {
		return fmt.Errorf("read from which release on the schema can be used: %w", err)
	}
	from, err := strconv.ParseInt(text, 10, 64)
	if err != nil || from > known {
		return fmt.Errorf("%w: its schema is %d, usable from %s on; this one knows %d", journal.ErrTooNew, current, text, known)
	}
	return nil
}
