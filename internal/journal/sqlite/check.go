package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
)

// checkBudget is how long the check may hold up the start.
const checkBudget = 60 * time.Millisecond

// checkAtStart looks for damage until the budget is spent. What is cut short has
// found nothing so far, and is no fault.
func checkAtStart(ctx context.Context, db *sql.DB) error {
	// The header and the schema are read whatever the budget.
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return damage(err)
	}
	bounded, cancel := context.WithTimeout(ctx, checkBudget)
	defer cancel()
	err := verify(bounded, db)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil && !errors.Is(err, journal.ErrDamaged) {
		return nil
	}
	return err
}

// verify reads the database for damage.
func verify(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `PRAGMA quick_check(5)`)
	if err != nil {
		return damage(err)
	}
	defer func() { _ = rows.Close() }()
	var found []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return damage(err)
		}
		if line != "ok" {
			found = append(found, line)
		}
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: %s", journal.ErrDamaged, strings.Join(found, "; "))
	}
	return damage(rows.Err())
}

// damage marks errors that say that the file is broken.
func damage(err error) error {
	if err != nil && classify(err) == journal.Damaged {
		return fmt.Errorf("%w: %w", journal.ErrDamaged, err)
	}
	return err
}

// classify sorts errors by SQLite's result codes.
func classify(err error) journal.Trouble {
	var e *driver.Error
	if !errors.As(err, &e) {
		return journal.Other
	}
	switch e.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return journal.NotUnique
	}
	switch e.Code() & 0xff { // the primary code
	case lib.SQLITE_FULL:
		return journal.Full
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return journal.Damaged
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_IOERR, lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_NOMEM:
		return journal.Unavailable
	default:
		return journal.Other
	}
}
