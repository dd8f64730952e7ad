package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// farOff is the distance of clocks that is worth a warning.
const farOff = 5 * time.Second

// askTime is what the database is asked for its clock.
const askTime = `SELECT clock_timestamp()`

// clock is the database's, as far as we know it: what it showed when it was last
// asked, and what has passed since by our steady clock. So it does not move when ours
// is set; it stays behind where we were asleep, until it is compared again. It is safe
// for concurrent use.
type clock struct {
	own   func() time.Time // ours, with a steady reading
	log   *slog.Logger
	shown atomic.Pointer[showing]
	apart atomic.Bool // it was far from ours when they were last compared
}

// showing is what the database's clock shows at a moment of ours.
type showing struct{ theirs, own time.Time }

// at is what it shows at another moment of ours. It has no steady reading.
func (s *showing) at(own time.Time) time.Time { return s.theirs.Add(own.Sub(s.own)) }

// now is the database's clock. It must have been compared.
func (c *clock) now() time.Time { return c.shown.Load().at(c.own()) }

// compare asks the database for the time. It has answered at some moment of the
// asking: what was known stays where it may be right, so that an answer that took
// long does no harm; else the middle is taken.
func (c *clock) compare(ask func(at *time.Time) error) error {
	var least time.Time
	before := c.own()
	if err := ask(&least); err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	own := c.own()
	took := own.Sub(before)
	s := c.shown.Load()
	if s == nil || s.at(own).Before(least) || s.at(own).After(least.Add(took)) {
		s = &showing{least.Add(took / 2), own}
		c.shown.Store(s)
	}
	c.warn(s.at(own).Sub(own.Round(0)))
	return nil
}

// warn tells once of a database's clock that is ahead of ours by much, or behind.
func (c *clock) warn(ahead time.Duration) {
	far := ahead.Abs() > farOff
	if was := c.apart.Swap(far); far && !was {
		c.log.Warn("the database's clock differs from ours; leases go by the database's", slog.Duration("ahead", ahead))
	}
}

// measure compares over a pool. It takes patience at most.
func (c *clock) measure(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.compare(func(at *time.Time) error { return db.QueryRowContext(ctx, askTime).Scan(at) })
}

// measureOver compares over a connection. It takes patience at most.
func (c *clock) measureOver(ctx context.Context, l line) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.compare(func(at *time.Time) error { return l.QueryRow(ctx, askTime).Scan(at) })
}
