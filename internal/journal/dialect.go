package journal

import (
	"context"
	"database/sql"
)

// Trouble sorts the errors of a driver by what they mean to the journal.
type Trouble int

// The troubles.
const (
	// Other is everything not listed below.
	Other Trouble = iota
	// NotUnique is the breach of a unique index.
	NotUnique
	// Full says that the disk or a quota is full.
	Full
	// Unavailable says that the database cannot be written now.
	Unavailable
	// Damaged says that the database's content is broken.
	Damaged
)

// Dialect is what differs between databases.
type Dialect struct {
	// Rebind turns ? placeholders into the driver's; nil: they are its own.
	Rebind func(query string) string
	// ForUpdate ends a SELECT whose row is changed in the same transaction;
	// empty where transactions that write exclude one another.
	ForUpdate string
	// SkipLocked ends the SELECT of a claim, so that claimers pass each other by.
	SkipLocked string
	// Classify sorts an error of the driver; it must not match texts.
	Classify func(err error) Trouble
	// Verify reads the whole database for damage; nil: nothing to be done.
	Verify func(ctx context.Context, read *sql.DB) error
}

// Store is an opened database with its schema in place.
type Store struct {
	Write   *sql.DB // transactions that change something
	Read    *sql.DB // everything else; may be the same pool
	Dialect Dialect
	// Release is called after both pools are closed, e.g. to give up a lock; may be nil.
	Release func() error
}
