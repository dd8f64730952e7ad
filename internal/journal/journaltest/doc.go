// Package journaltest is the suite that every journal must pass, whatever
// database keeps it. A database's own test file opens it and calls [Run].
//
// It proves the law twice: through the journal's methods, and by raw SQL that
// tries to break each constraint and must be refused by that very constraint
// ([Laws] lists them, so that a database's tests can see that none is left out).
// A random walk compares every row and event with a model in memory made of
// upload.Outcome.Apply alone.
package journaltest
