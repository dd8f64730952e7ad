package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
)

func TestPlaceholdersAreNumbered(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``:                           ``,
		`SELECT 1`:                   `SELECT 1`,
		`a = ? AND b IN (?, ?)`:      `a = $1 AND b IN ($2, $3)`,
		`?`:                          `$1`,
		`a = ?1 AND b IN (?12, ?1)`:  `a = $1 AND b IN ($12, $1)`,
		`x LIKE lower(?) ESCAPE '\'`: `x LIKE lower($1) ESCAPE '\'`,
	} {
		if got := rebind(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestErrorsAreSortedByTheirCode(t *testing.T) {
	t.Parallel()
	code := func(c string) error { return fmt.Errorf("x: %w", &pgconn.PgError{Code: c}) }
	for name, c := range map[string]struct {
		err  error
		want journal.Trouble
	}{
		"unique":                 {code("23505"), journal.NotUnique},
		"check":                  {code("23514"), journal.Other},
		"syntax":                 {code("42601"), journal.Other},
		"deadlock":               {code("40P01"), journal.Again},
		"serialization":          {code("40001"), journal.Again},
		"disk full":              {code("53100"), journal.Full},
		"too many connections":   {code("53300"), journal.Unavailable},
		"shutdown":               {code("57P01"), journal.Unavailable},
		"starting":               {code("57P03"), journal.Unavailable},
		"standby":                {code("25006"), journal.Unavailable},
		"password changed":       {code("28P01"), journal.Unavailable},
		"idle in a transaction":  {code("25P03"), journal.Unavailable},
		"damaged":                {code("XX001"), journal.Damaged},
		"damaged index":          {code("XX002"), journal.Damaged},
		"short code":             {code("5"), journal.Other},
		"cut":                    {io.ErrUnexpectedEOF, journal.Unavailable},
		"out of time":            {context.DeadlineExceeded, journal.Unavailable},
		"cancelled":              {fmt.Errorf("x: %w", context.Canceled), journal.Other},
		"no rows":                {sql.ErrNoRows, journal.Other},
		"anything":               {errors.New("x"), journal.Other},
		"connection in the pool": {sql.ErrConnDone, journal.Unavailable},
	} {
		if got := classify(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
