// Package postgrestest runs a PostgreSQL server of its own for a test: the
// system's binaries in a temporary directory, on a free port of this machine,
// with a superuser "postgres" that needs no password. It can be stopped, killed
// and started again in the middle of a test.
//
// PostgreSQL refuses to run as root; the server then runs as the system's user
// postgres. Where the binaries are missing, [Start] says so with [ErrMissing].
package postgrestest
