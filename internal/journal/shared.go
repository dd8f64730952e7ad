package journal

import (
	"context"
	"database/sql"
	"time"
)

// Shared reports whether other processes work on the same journal. Their leases
// are not ours to forget then, and what was read from it may have changed.
func (j *Journal) Shared() bool { return j.store.Shared != nil }

// Now is the clock that the journal is kept by, one for all processes: leases, when a
// row is due, and every time in it. What is stored in a row, or compared with what is,
// goes by it. Where the journal is not shared it is the process's own.
func (j *Journal) Now() time.Time {
	if j.store.Shared == nil {
		return j.now()
	}
	return j.store.Shared.Now()
}

// CompareClocks finds out anew what Now shows, where that is another machine's clock:
// it is for whoever has seen ours jump, as after a sleep. A failure is that of a
// database that is away; the clock then goes on as before.
func (j *Journal) CompareClocks(ctx context.Context) error {
	const op = "compare clocks"
	if err := j.begin(op); err != nil {
		return err
	}
	if j.store.Shared == nil {
		return nil
	}
	return j.fail(op, j.store.Shared.Compare(ctx))
}

// Turn waits for the one right of that name among all processes that share the
// journal, until release is called. It is lost with the connection to the
// database, so that it must not be all that stands between two deliveries.
func (j *Journal) Turn(ctx context.Context, name string) (release func(), err error) {
	const op = "take turn"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	if j.store.Shared == nil {
		return func() {}, nil
	}
	release, err = j.store.Shared.Turn(ctx, name)
	return release, j.fail(op, err)
}

// follow hears of the changes of others until the journal is closed.
func (j *Journal) follow() {
	if j.store.Shared == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.store.Shared.Follow(ctx, func() { j.tell(true) })
	}()
	j.unfollow = func() { cancel(); <-done }
}

// patient bounds what the database may take for one thing.
func (j *Journal) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	if j.store.Dialect.Patience <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, j.store.Dialect.Patience)
}

// scanner is a row to be read.
type scanner interface{ Scan(dest ...any) error }

// bounded is a row whose reading ends its time limit.
type bounded struct {
	row    *sql.Row
	cancel context.CancelFunc
}

// Scan implements scanner.
func (b bounded) Scan(dest ...any) error {
	defer b.cancel()
	return b.row.Scan(dest...)
}
