package journal

import (
	"context"
	"database/sql"
	"time"
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
	// Again says that the transaction stood in another one's way and was given
	// up: it is to be done again.
	Again
)

// Dialect is what differs between databases.
type Dialect struct {
	// Rebind turns the placeholders ? and ?1, ?2 … (never both in one query) into the
	// driver's; nil: they are its own.
	Rebind func(query string) string
	// ForUpdate ends a SELECT whose row is changed in the same transaction;
	// empty where transactions that write exclude one another.
	ForUpdate string
	// SkipLocked ends the SELECT of a claim, so that claimers pass each other by.
	SkipLocked string
	// OneWriter says that transactions that write exclude one another; then
	// changes that come at once share a commit, by savepoints.
	OneWriter bool
	// Lightly makes the transactions of the one writer that begin from now on not
	// wait for the disk (or wait again); nil: they always do.
	Lightly func(ctx context.Context, write *sql.DB, lightly bool) error
	// Classify sorts an error of the driver; it must not match texts.
	Classify func(err error) Trouble
	// Rest gives back memory that is not needed to do nothing; nil: there is none.
	Rest func(ctx context.Context, write, read *sql.DB) error
	// Verify reads the whole database for damage; nil: nothing to be done.
	Verify func(ctx context.Context, read *sql.DB) error
	// Patience bounds each transaction and each question, so that a database that
	// hangs does not hang us; 0: they take what they take.
	Patience time.Duration
}

// Store is an opened database with its schema in place.
type Store struct {
	Write   *sql.DB // transactions that change something
	Read    *sql.DB // everything else; may be the same pool
	Dialect Dialect
	// Release is called after both pools are closed, e.g. to give up a lock; may be nil.
	Release func() error
	// Shared is set where other processes work on the same journal.
	Shared *Shared
}

// Shared is what a journal needs that several processes write to.
type Shared struct {
	// Follow calls told after changes that other processes made, until ctx ends.
	Follow func(ctx context.Context, told func())
	// Turn gives the one right of that name among all processes, and waits for
	// it; it is given back by release.
	Turn func(ctx context.Context, name string) (release func(), err error)
	// Now is the one clock of all processes. It is another machine's: a step of ours
	// does not move it.
	Now func() time.Time
	// Compare finds out anew what Now shows.
	Compare func(ctx context.Context) error
}
