package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	engine "modernc.org/sqlite"
)

// mostKept is how many prepared statements a connection keeps. The journal has
// fewer; lists of arguments of varying length may make more.
const mostKept = 96

// openPool opens a pool whose connections keep their prepared statements: laying
// out a statement over the uploads, with all its CHECKs and indices, costs several
// times what running it does.
func openPool(dsn string) (*sql.DB, error) {
	base, err := engine.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector{base}), nil
}

type connector struct{ driver.Connector }

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := conn.(engineConn)
	if !ok {
		return conn, nil
	}
	return &keeper{engineConn: full, kept: map[string]statement{}}, nil
}

// engineConn is what the driver's connections can do.
type engineConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keeper is a connection that keeps prepared statements by their text. As with
// any driver's connection, database/sql sees to it that nobody uses it at the
// same time as another.
type keeper struct {
	engineConn
	kept map[string]statement
}

// ExecContext implements driver.ExecerContext.
func (k *keeper) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := k.take(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return k.engineConn.ExecContext(ctx, query, args)
	}
	defer k.keep(query, s)
	return s.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext. While the rows are being read
// the statement is not there for others.
func (k *keeper) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := k.take(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return k.engineConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		k.keep(query, s)
		return nil, err
	}
	return &keptRows{Rows: rows, back: func() { k.keep(query, s) }}, nil
}

// take gives the prepared statement; nil: it is not one to be kept.
func (k *keeper) take(ctx context.Context, query string) (statement, error) {
	if s, ok := k.kept[query]; ok {
		delete(k.kept, query)
		return s, nil
	}
	if !repeats(query) {
		return nil, nil
	}
	prepared, err := k.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, ok := prepared.(statement)
	if !ok {
		return nil, prepared.Close()
	}
	return s, nil
}

// repeats reports whether a statement is of the kind that comes again; changes
// of the schema and scripts are not.
func repeats(query string) bool {
	verb, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	switch verb {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "SAVEPOINT", "RELEASE", "ROLLBACK":
		return !strings.Contains(query, ";")
	default:
		return false
	}
}

func (k *keeper) keep(query string, s statement) {
	old, twice := k.kept[query]
	k.kept[query] = s
	if !twice && len(k.kept) > mostKept {
		for other := range k.kept {
			if other != query { // any will do
				query, old = other, k.kept[other]
				break
			}
		}
		delete(k.kept, query)
	}
	if old != nil {
		_ = old.Close() // an error of the statement was its run's, and was told
	}
}

// Close implements driver.Conn.
func (k *keeper) Close() error {
	for _, s := range k.kept {
		_ = s.Close()
	}
	clear(k.kept)
	return k.engineConn.Close()
}

type keptRows struct {
	driver.Rows
	back func()
}

// Close implements driver.Rows.
func (r *keptRows) Close() error {
	err := r.Rows.Close()
	if r.back != nil {
		r.back()
		r.back = nil
	}
	return err
}
