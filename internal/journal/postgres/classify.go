package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
)

// classify sorts errors by PostgreSQL's codes, and those of the way to it.
func classify(err error) journal.Trouble {
	if errors.Is(err, context.Canceled) {
		return journal.Other // who asked has gone
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return byCode(e.Code)
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &connecting), errors.As(err, &network), pgconn.Timeout(err),
		errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, sql.ErrTxDone),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, errURL), pgconn.SafeToRetry(err):
		return journal.Unavailable
	default:
		return journal.Other
	}
}

func byCode(code string) journal.Trouble {
	switch code {
	case "23505":
		return journal.NotUnique
	case "40001", "40P01": // serialization failure, deadlock
		return journal.Again
	case "53100": // disk full
		return journal.Full
	case "XX001", "XX002": // data or index corrupted
		return journal.Damaged
	case "25006", "25P03", "55P03", "57014", "3D000":
		// read only (a standby), idle too long in a transaction, lock or statement
		// time-out, no such database (any more)
		return journal.Unavailable
	}
	switch code[:min(2, len(code))] {
	case "08", "28", "53", "57", "58": // connection, refused, resources, intervention, system
		return journal.Unavailable
	default:
		return journal.Other
	}
}
