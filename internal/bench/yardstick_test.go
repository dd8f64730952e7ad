package bench

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
)

// oneRow is the least that a durable change can hold.
const oneRow = `INSERT INTO yardstick (text) VALUES ('a few bytes, as an event has them')`

// rowsIn opens a database in dir, with the journal's own settings of SQLite, that takes
// oneRow. It is closed with the test.
func rowsIn(ctx context.Context, t *testing.T, dir string) *sql.DB {
	t.Helper()
	j, err := sqlite.Open(ctx, dir, journal.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, j.Close()) })
	_, err = j.DB().ExecContext(ctx, `CREATE TABLE yardstick (n INTEGER PRIMARY KEY, text TEXT) STRICT`)
	must(t, err)
	return j.DB()
}

// commits tells how long n durable one-row transactions take, from one goroutine.
func commits(ctx context.Context, t *testing.T, n int) time.Duration {
	t.Helper()
	db := rowsIn(ctx, t, home(t))
	began := time.Now()
	for range n {
		_, err := db.ExecContext(ctx, oneRow)
		must(t, err)
	}
	return time.Since(began)
}
