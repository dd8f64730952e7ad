package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// The classes of our advisory locks, besides those of the schema's triggers: the
// first number is the class, the second one the object's.
const (
	lockSchema = `hashtextextended('hqms schema ' || current_schema(), 0)`
	lockTurn   = `hashtextextended('hqms turn ' || current_schema() || ' ' || $1, 0)`
)

// schemaLock is held by who migrates. Others wait for it in the server, and find
// their work done.
type schemaLock struct{}

// SessionLock implements lock.SessionLocker.
func (schemaLock) SessionLock(ctx context.Context, c *sql.Conn) error {
	_, err := c.ExecContext(ctx, `SELECT pg_advisory_lock(`+lockSchema+`)`)
	return err
}

// SessionUnlock implements lock.SessionLocker.
func (schemaLock) SessionUnlock(ctx context.Context, c *sql.Conn) error {
	_, err := c.ExecContext(ctx, `SELECT pg_advisory_unlock(`+lockSchema+`)`)
	return err
}

// releaseBudget is how long giving back a turn may take; a connection that does
// not answer in time is dropped, and the turn with it.
const releaseBudget = 5 * time.Second

// turns are advisory locks of sessions, each on a connection of its own.
type turns struct{ db *sql.DB }

// take waits for the turn of that name.
func (t turns) take(ctx context.Context, name string) (release func(), err error) {
	c, err := t.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(ctx, `SELECT pg_advisory_lock(`+lockTurn+`)`, name); err != nil {
		return nil, errors.Join(err, drop(c))
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseBudget)
		defer cancel()
		if _, err := c.ExecContext(ctx, `SELECT pg_advisory_unlock(`+lockTurn+`)`, name); err != nil {
			_ = drop(c)
			return
		}
		_ = c.Close() // back to the pool
	}, nil
}

// drop closes a connection that may hold a lock, for good.
func drop(c *sql.Conn) error {
	_ = c.Raw(func(any) error { return errDropped })
	return c.Close()
}
