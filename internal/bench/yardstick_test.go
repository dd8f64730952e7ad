package bench

import (
	"context"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
)

// commits tells how long n durable one-row transactions take with the journal's
// own settings of SQLite, from one goroutine.
func commits(ctx context.Context, t *testing.T, n int) time.Duration {
	t.Helper()
	j, err := sqlite.Open(ctx, home(t), journal.Options{})
	must(t, err)
	defer j.Close()
	db := j.DB()
	_, err = db.ExecContext(ctx, `CREATE TABLE yardstick (n INTEGER PRIMARY KEY, text TEXT) STRICT`)
	must(t, err)
	began := time.Now()
	for range n {
		_, err := db.ExecContext(ctx, `INSERT INTO yardstick (text) VALUES ('a few bytes, as an event has them')`)
		must(t, err)
	}
	return time.Since(began)
}
