// Package e2e holds black-box tests: the built binaries, real files, real
// sockets, real signals. It contains no product code.
//
// HQMS_E2E_BIN names the directory of the built binaries; without it the tests
// build them first. Nothing here sleeps to wait for something: tests follow the
// API and the processes' own output under a deadline.
package e2e
