package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// What callers tell apart.
var (
	// ErrNotFound: there is no such upload.
	ErrNotFound = errors.New("no such upload")
	// ErrLeaseLost: the lease under which the copy was claimed is no longer
	// held, or the row has moved on; nothing was written.
	ErrLeaseLost = errors.New("lease lost")
	// ErrContentTaken: another upload holds the right to deliver this content,
	// or has delivered it; nothing was written.
	ErrContentTaken = errors.New("content is held by another upload")
	// ErrConflict: another upload of the same file is open; nothing was written.
	ErrConflict = errors.New("another upload of this file is open")
	// ErrDamaged: the database's content is broken.
	ErrDamaged = errors.New("journal is damaged")
	// ErrInUse: another process works on the same state.
	ErrInUse = errors.New("journal is in use by another process")
	// ErrTooNew: a newer release wrote the journal; this one does not know its schema.
	ErrTooNew = errors.New("journal was written by a newer release")
	// ErrBadCursor: the cursor was not made by List.
	ErrBadCursor = errors.New("cursor is not valid")
)

// Options change how a Journal behaves. The zero value is for production.
type Options struct {
	// Hook is called before each operation with its name ("spot", "claim",
	// "record settled", "act cancelled", …); its error is returned instead of
	// doing the operation. It is there so that a test can make exactly one fail
	// or end the process at it. It must be safe for concurrent use.
	Hook func(op string) error
	// ReadOnly changes nothing, not even to bring the closed sets up to date; every
	// change fails.
	ReadOnly bool
	// Failed is told of every operation that failed because the database is
	// damaged, full or away, with the error that is returned. It must not block
	// and must not use the journal. nil: nobody is told.
	Failed func(err error)
	// Now is the clock of a journal that is not shared; nil: time.Now.
	Now func() time.Time
}

// Journal is the durable record. It is safe for concurrent use. Who opened it
// closes it.
type Journal struct {
	store    Store
	hook     func(op string) error
	failed   func(err error)
	now      func() time.Time
	columns  string   // of uploads, in the order of columns()
	commits  *commits // nil: each change has its own
	unfollow func()
	watchers
}

// New makes a journal of a store whose schema is up to date, and owns the store
// from then on (also if it fails).
func New(ctx context.Context, s Store, o Options) (*Journal, error) {
	if s.Dialect.Rebind == nil {
		s.Dialect.Rebind = func(q string) string { return q }
	}
	if o.Hook == nil {
		o.Hook = func(string) error { return nil }
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	j := &Journal{store: s, hook: o.Hook, failed: o.Failed, now: o.Now, columns: columnNames()}
	if s.Dialect.OneWriter {
		j.commits = newCommits(s)
	}
	if o.ReadOnly {
		return j, nil
	}
	if err := j.syncReasons(ctx); err != nil {
		return nil, errors.Join(j.fail("open journal", err), j.Close())
	}
	j.follow()
	return j, nil
}

// Close ends all use. Operations under way are waited for by the caller.
func (j *Journal) Close() error {
	if j.unfollow != nil {
		j.unfollow()
	}
	err := j.store.Read.Close()
	if j.store.Write != j.store.Read {
		err = errors.Join(err, j.store.Write.Close())
	}
	if j.store.Release != nil {
		err = errors.Join(err, j.store.Release())
	}
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// DB is the writing pool, for backups and for tests that try to break the law.
func (j *Journal) DB() *sql.DB { return j.store.Write }

// Verify reads the whole database for damage, beside normal work; it returns
// ErrDamaged with the first findings. With millions of rows it takes seconds:
// the check at the start is bounded, this one is not.
func (j *Journal) Verify(ctx context.Context) error {
	const op = "verify journal"
	if err := j.begin(op); err != nil {
		return err
	}
	if j.store.Dialect.Verify == nil {
		return nil
	}
	return j.fail(op, j.store.Dialect.Verify(ctx, j.store.Read))
}

// Rest gives back the memory that nobody needs while nothing is to do. It may be
// called at any time; what is asked next takes a little longer.
func (j *Journal) Rest(ctx context.Context) error {
	if j.store.Dialect.Rest == nil {
		return nil
	}
	return j.fail("rest", j.store.Dialect.Rest(ctx, j.store.Write, j.store.Read))
}

// begin names an operation to the hook.
func (j *Journal) begin(op string) error {
	if err := j.hook(op); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// fail gives an error its operation and, where the driver tells, its class.
func (j *Journal) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	trouble := j.store.Dialect.Classify(err)
	if errors.Is(err, ErrDamaged) {
		trouble = Damaged
	}
	switch trouble {
	case Damaged:
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	case Full:
		err = upload.LocalFaultOf(upload.DiskFull, "", err)
	case Unavailable, Again:
		err = upload.LocalFaultOf(upload.JournalUnavailable, "", err)
	case Other, NotUnique:
		return fmt.Errorf("%s: %w", op, err)
	}
	err = fmt.Errorf("%s: %w", op, err)
	j.failed(err)
	return err
}

// transact runs do in one transaction: all of it is durable when transact
// returns nil, none of it otherwise. One that stood in another's way is done again.
func (j *Journal) transact(ctx context.Context, do func(t txn) error) error {
	return j.transactAs(ctx, do, false)
}

// transactLightly is transact for what a power cut may undo, since it undoes the
// process that did it, too: leases, fences and the time of the next attempt. All
// that is made durable later makes it durable as well.
func (j *Journal) transactLightly(ctx context.Context, do func(t txn) error) error {
	return j.transactAs(ctx, do, true)
}

func (j *Journal) transactAs(ctx context.Context, do func(t txn) error, light bool) error {
	if j.commits != nil {
		return j.commits.add(ctx, do, light)
	}
	const tries = 5
	for try := 1; ; try++ {
		err := j.transactOnce(ctx, do)
		if try == tries || j.trouble(err) != Again {
			return err
		}
	}
}

func (j *Journal) transactOnce(ctx context.Context, do func(t txn) error) error {
	ctx, cancel := j.patient(ctx)
	defer cancel()
	tx, err := j.store.Write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if err := do(txn{tx, j.store.Dialect, new(bool), (*known)(nil).begin()}); err != nil {
		return err
	}
	return tx.Commit()
}

// txn is a transaction that takes queries with ? placeholders.
type txn struct {
	tx      *sql.Tx
	d       Dialect
	changed *bool // set before the end, where anything was
	rows    *knowing
}

// exec gives the number of rows changed.
func (t txn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	n, err := t.run(ctx, query, args...)
	if (n > 0 || err != nil) && changesUploads(query) {
		t.rows.changesAny()
	}
	return n, err
}

// execOn is exec for a statement that changes no row of an upload but this one's.
func (t txn) execOn(ctx context.Context, id upload.ID, query string, args ...any) (int64, error) {
	n, err := t.run(ctx, query, args...)
	if n > 0 || err != nil {
		t.rows.changes(id)
	}
	return n, err
}

func changesUploads(query string) bool {
	return strings.HasPrefix(query, "UPDATE uploads ") || strings.HasPrefix(query, "DELETE FROM uploads ")
}

func (t txn) run(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := t.tx.ExecContext(t.d.uncut(ctx), t.d.Rebind(query), args...)
	if err != nil {
		*t.changed = true // who knows
		return 0, err
	}
	n, err := r.RowsAffected()
	if n > 0 || err != nil {
		*t.changed = true
	}
	return n, err
}

func (t txn) row(ctx context.Context, query string, args ...any) scanner {
	return t.tx.QueryRowContext(t.d.uncut(ctx), t.d.Rebind(query), args...)
}

// returning is row for UPDATE … RETURNING of one upload's row. Whoever reads it says
// how that is now.
func (t txn) returning(ctx context.Context, query string, args ...any) scanner {
	*t.changed = true
	return t.row(ctx, query, args...)
}

// row reads one row outside of any transaction.
func (j *Journal) row(ctx context.Context, query string, args ...any) scanner {
	ctx, cancel := j.patient(ctx)
	return bounded{j.store.Read.QueryRowContext(ctx, j.store.Dialect.Rebind(query), args...), cancel}
}

// collect reads all rows of a query; refs gives the destinations of a row in v, each
// of which is overwritten as a whole by the next row.
func collect[T any](ctx context.Context, j *Journal, refs func(v *T) []any, query string, args ...any) ([]T, error) {
	ctx, cancel := j.patient(ctx)
	defer cancel()
	rows, err := j.store.Read.QueryContext(ctx, j.store.Dialect.Rebind(query), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var (
		all []T
		v   T
		to  = refs(&v)
	)
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// syncReasons makes the closed set of reasons known to the database, which
// refuses any other. Reasons are only ever added, so that a release can be
// rolled back.
func (j *Journal) syncReasons(ctx context.Context) error {
	known, err := collect(ctx, j, func(s *string) []any { return []any{s} }, `SELECT reason FROM reasons`)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, r := range known {
		have[r] = true
	}
	var missing []any
	for _, r := range append(upload.Reasons(), "") {
		if !have[string(r)] {
			missing = append(missing, string(r))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	values := strings.TrimSuffix(strings.Repeat("(?),", len(missing)), ",")
	return j.transact(ctx, func(t txn) error {
		_, err := t.exec(ctx, `INSERT INTO reasons (reason) VALUES `+values+` ON CONFLICT DO NOTHING`, missing...)
		return err
	})
}

// Rebind turns ? placeholders into the driver's own.
func (j *Journal) Rebind(query string) string { return j.store.Dialect.Rebind(query) }
