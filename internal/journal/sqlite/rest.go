package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	_ "unsafe" // for go:linkname

	_ "modernc.org/libc" // whose names are linked to
	"modernc.org/memory"
)

// SQLite's memory comes from an allocator of the driver's C library. What is freed
// there stays with it, up to four megabytes of each size, and nothing that is
// exported gives it back. A version of that library without these names does not
// link; one that keeps memory elsewhere fails a test.
//
//go:linkname allocator modernc.org/libc.allocator
var allocator memory.Allocator

//go:linkname allocMu modernc.org/libc.allocMu
var allocMu sync.Mutex

// rest gives back what work has left behind: the reading connections with their
// pages and prepared statements, which the next question makes anew in a
// millisecond or two, the writer's pages, and what SQLite has freed.
func rest(ctx context.Context, write, read *sql.DB) error {
	read.SetMaxIdleConns(-1) // closes those that are idle
	read.SetMaxIdleConns(readers)
	_, err := write.ExecContext(ctx, `PRAGMA shrink_memory`)
	allocMu.Lock()
	defer allocMu.Unlock()
	return errors.Join(err, allocator.Trim())
}
