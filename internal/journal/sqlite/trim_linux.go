package sqlite

import (
	"sync"
	_ "unsafe" // for go:linkname

	_ "modernc.org/libc" // whose names are linked to
	"modernc.org/memory"
)

// SQLite's memory comes from an allocator of the driver's C library. What is freed
// there stays with it, up to four megabytes of each size, and nothing that is
// exported gives it back. The names are those of the library on Linux. One that it
// does not have links all the same, to a variable of our own: a lock that nobody else
// holds, and memory taken from under SQLite. So tests hold both names against the
// library that is in use.
//
//go:linkname allocator modernc.org/libc.allocator
var allocator memory.Allocator

//go:linkname allocatorMu modernc.org/libc.allocatorMu
var allocatorMu sync.Mutex

// trim gives back what SQLite has freed.
func trim() error {
	allocatorMu.Lock()
	defer allocatorMu.Unlock()
	return allocator.Trim()
}
