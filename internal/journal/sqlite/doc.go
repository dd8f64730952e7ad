// Package sqlite keeps the journal in one SQLite file in the state directory.
// It is for one process on a local disk; [Open] is all there is to it.
//
// Why each setting: WAL, so that readers and the writer do not wait for each
// other; synchronous=FULL, so that what was acknowledged survives a power cut;
// one writing connection, so that SQLite's lock is never waited for within the
// process; foreign keys, a busy time-out and temporary tables in memory (the
// root file system may be read-only) on every connection, through its DSN.
//
// Two things make many small files cheap. Changes that come while another is
// being written through share the next commit (see journal: nothing is
// acknowledged before its own commit). And each connection keeps its prepared
// statements, since laying them out cost more than running them.
//
// Invariants:
//   - A second process on the same directory refuses to start: journal.lock is
//     locked (flock) before the database is opened and until it is closed. The
//     lock goes with its process, however it ends; the file stays.
//   - Nobody opens the database's files but SQLite. The driver's POSIX locks
//     vanish as soon as any descriptor of the file is closed in this process.
//   - The files can be read by their owner alone: tickets are secrets.
//
// At the start the database is checked for damage for at most checkBudget, so
// that a large journal does not hold it up: header, schema and as much as that
// time allows. Journal.Verify reads the whole, beside normal work.
//
// Failures: journal.ErrInUse names the process that holds the lock;
// journal.ErrDamaged says what is broken; journal.ErrTooNew, that a newer
// release wrote the schema. A network file system cannot hold a WAL database.
package sqlite
