package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// Silence for so long is broken by a question, which also compares clocks.
	silence = time.Minute
	// Between attempts to connect.
	againLeast, againMost = 200 * time.Millisecond, 5 * time.Second
	// farOff is the distance of clocks that is worth a warning.
	farOff = 5 * time.Second
)

// errDropped makes database/sql drop a connection instead of keeping it.
var errDropped = driver.ErrBadConn

// follower hears what other replicas change, and knows the database's clock.
type follower struct {
	*dialer
	ahead atomic.Int64 // the database's clock, less ours, in ns
}

func newFollower(d *dialer) *follower { return &follower{dialer: d} }

// now is the database's clock.
func (f *follower) now() time.Time { return f.o.Now().Add(time.Duration(f.ahead.Load())) }

// run hears until ctx ends, and connects again by itself.
func (f *follower) run(ctx context.Context, told func()) {
	wait := againLeast
	for ctx.Err() == nil {
		heard, err := f.listen(ctx, told)
		if ctx.Err() != nil {
			return
		}
		if heard {
			wait = againLeast
			f.o.Logger.Warn("lost the connection that hears of other replicas' changes; connecting again", slog.String("error", err.Error()))
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
		wait = min(2*wait, againMost)
	}
}

// listen hears over one connection until it breaks.
func (f *follower) listen(ctx context.Context, told func()) (heard bool, err error) {
	c, err := f.connect(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(ending)
	}()
	var name string
	if err := c.QueryRow(ctx, `SELECT 'hqms_' || (SELECT oid FROM pg_namespace WHERE nspname = current_schema())`).Scan(&name); err != nil {
		return false, err
	}
	if _, err := c.Exec(ctx, `LISTEN `+pgx.Identifier{name}.Sanitize()); err != nil {
		return false, err
	}
	told() // of whatever happened while nobody listened
	for {
		if err := f.hear(ctx, c, told); err != nil {
			return true, err
		}
	}
}

// hear waits for one notification, or breaks a long silence.
func (f *follower) hear(ctx context.Context, c *pgx.Conn, told func()) error {
	waiting, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	n, err := c.WaitForNotification(waiting)
	switch {
	case err == nil:
		if n.Payload != f.origin {
			told()
		}
		return nil
	case waiting.Err() == nil || ctx.Err() != nil || c.IsClosed():
		return err
	default:
		asking, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return f.compare(asking, func(at *time.Time) error { return c.QueryRow(asking, clock).Scan(at) })
	}
}

const clock = `SELECT clock_timestamp()`

// measure compares the clocks over a pool.
func (f *follower) measure(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return f.compare(ctx, func(at *time.Time) error { return db.QueryRowContext(ctx, clock).Scan(at) })
}

// compare asks the database for the time; the answer is taken for the middle of
// the asking.
func (f *follower) compare(_ context.Context, ask func(at *time.Time) error) error {
	var at time.Time
	before := f.o.Now()
	if err := ask(&at); err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	took := f.o.Now().Sub(before)
	ahead := at.Sub(before.Add(took / 2))
	was := time.Duration(f.ahead.Swap(int64(ahead)))
	if far(ahead) && !far(was) {
		f.o.Logger.Warn("the database's clock differs from ours; leases go by the database's", slog.Duration("ahead", ahead))
	}
	return nil
}

func far(d time.Duration) bool { return d > farOff || d < -farOff }
