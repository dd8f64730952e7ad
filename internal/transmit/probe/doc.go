// Package probe is the connection test of one channel: what an operator, or the
// check command, runs to see where the way to the server ends. It goes step by
// step (name, port, TLS and an answer, clocks, credentials) and tells of each as
// it begins and ends; after the first step that fails the rest are skipped. Its findings hold no secret and nothing
// that the server wrote.
package probe
