package postgres

import (
	"context"
	"database/sql/driver"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// compareEvery is how often clocks are compared, by the steady one and whatever is
	// heard meanwhile; a connection that is gone without a word is noticed by it, too.
	compareEvery = time.Minute
	// Between attempts to connect.
	againLeast, againMost = 200 * time.Millisecond, 5 * time.Second
)

// errDropped makes database/sql drop a connection instead of keeping it.
var errDropped = driver.ErrBadConn

// follower hears what other replicas change, and keeps the clock compared.
type follower struct {
	*dialer
	*clock
}

func newFollower(d *dialer) *follower {
	return &follower{dialer: d, clock: &clock{own: d.o.Now, log: d.o.Logger}}
}

// line is a connection that listens; *pgx.Conn is one.
type line interface {
	WaitForNotification(ctx context.Context) (*pgconn.Notification, error)
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
	IsClosed() bool
}

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
	if err := f.measureOver(ctx, c); err != nil {
		return false, err
	}
	var name string
	if err := c.QueryRow(ctx, `SELECT 'hqms_' || (SELECT oid FROM pg_namespace WHERE nspname = current_schema())`).Scan(&name); err != nil {
		return false, err
	}
	if _, err := c.Exec(ctx, `LISTEN `+pgx.Identifier{name}.Sanitize()); err != nil {
		return false, err
	}
	told() // of whatever happened while nobody listened
	return true, f.hear(ctx, c, told)
}

// hear hears over l until it breaks.
func (f *follower) hear(ctx context.Context, l line, told func()) error {
	for {
		if err := f.hearForAMinute(ctx, l, told); err != nil {
			return err
		}
		if err := f.measureOver(ctx, l); err != nil {
			return err
		}
	}
}

// hearForAMinute hears over l until clocks are to be compared again.
func (f *follower) hearForAMinute(ctx context.Context, l line, told func()) error {
	hearing, cancel := context.WithTimeout(ctx, compareEvery)
	defer cancel()
	for {
		n, err := l.WaitForNotification(hearing)
		if n != nil && n.Payload != f.origin {
			told()
		}
		switch {
		case err == nil:
		case hearing.Err() == nil || ctx.Err() != nil || l.IsClosed():
			return err
		default:
			return nil
		}
	}
}
