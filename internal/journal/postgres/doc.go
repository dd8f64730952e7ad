// Package postgres keeps the journal in a PostgreSQL database, so that several
// replicas share the work on one volume; [Open] is all there is to it.
//
// # What differs from one process with SQLite
//
//   - Claims lock their row with FOR UPDATE SKIP LOCKED, so that claimers pass
//     each other by; every other write is guarded by id, fence and state.
//   - Event numbers are given in the order of commits (a trigger of the schema
//     takes turns), so that a reader can go on from the last number it saw.
//   - Triggers send word of every change (NOTIFY) with the origin of the
//     connection; a connection of its own hears it (LISTEN), drops what came from
//     here and wakes the journal's subscribers. After a lost connection they are
//     woken in any case: what was missed is not known.
//   - The journal is kept by the database's clock. It is asked at the start, at every
//     connection that listens, every minute, and whenever ours is seen to jump
//     (journal.CompareClocks); in between it goes on by our steady clock, so that
//     setting ours does not move it.
//   - A turn (a session's advisory lock) is held by one process at a time.
//
// # Schema
//
// Migrations run under a lock, so that any number of replicas may start at once.
// They only add, so that replicas of the release before go on during a rolling
// upgrade; one that older releases cannot live with says so in meta
// (schema_readable_from), and they refuse to start with journal.ErrTooNew.
// All objects are in the first schema of the search path.
//
// # Failures
//
// A database that is away, starting, full of connections or silent for longer
// than patience is an *upload.Fault of class Local (journal_unavailable) at the
// call; connections are made anew by themselves. Only at the start is it waited
// for, a minute; a refused password or a missing database end that at once.
// No error holds the address or the password. Connection poolers that give a
// transaction another connection each time break LISTEN and turns: connect to
// the server itself.
package postgres
