package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// rest gives back what work has left behind: the reading connections with their
// pages and prepared statements, which the next question makes anew in a
// millisecond or two, the writer's pages, and what SQLite has freed.
func rest(ctx context.Context, write, read *sql.DB) error {
	read.SetMaxIdleConns(-1) // closes those that are idle
	read.SetMaxIdleConns(readers)
	_, err := write.ExecContext(ctx, `PRAGMA shrink_memory`)
	return errors.Join(err, trim())
}
