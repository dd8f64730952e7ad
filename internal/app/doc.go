// Package app is the composition root: the only package that knows all others.
// It reads the settings, makes the pieces, ties them together, runs them, and
// takes them down in the opposite order.
//
// Start: telemetry → state directory and its lock → journal → channels (secrets,
// protocol clients, gates, watchers) → stages → pipeline → API. What exists is
// registered for teardown the moment it exists.
//
// Stop, at SIGTERM or SIGINT: readiness goes off; watchers stop, so nothing new
// comes in; the pipeline's context ends, running stages persist what they have
// or leave their row as it was; the API ends; telemetry is flushed; the journal
// closes last, since everybody writes to it until then. A second signal ends
// the process at once; the journal bears that.
package app
