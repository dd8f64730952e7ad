// Package retire puts originals away: the last stage, and the only one that
// touches a file in a watched directory.
//
// An original leaves only after its verdict is durable, and only if it is still
// byte for byte what the upload was about:
//
//	look        is it the file that settled?            else leave it
//	set aside   <name> → .hqms-<id>.aside, same directory
//	compare     size, time and SHA-256                  else put it back
//	put away    archive, quarantine (a result beside it), delete, or put back
//	clear       markers, the packed copy
//
// Where things are, relative to the state directory:
//
//	archive/<channel>/<yyyy-mm-dd>/<id>/<name>
//	quarantine/<channel>/<yyyy-mm-dd>/<id>/<name>, <name>.result.json, <name>.result.txt
//	quarantine/<channel>/<yyyy-mm-dd>/<id>/changed/<name>    changed, and its place was taken
//	deleted/<id>                                             trace of a deletion until it is recorded
//
// The date is that of spotting, in UTC, so that a run after a crash looks in the
// same place.
//
// Invariants:
//   - The original's bytes are in at least one place at every moment, and in
//     exactly one when Run has returned an outcome.
//   - No file is overwritten: not in the watched directory, not in the archive.
//   - Run may be repeated after a crash at any point and ends with the same outcome.
//   - An unresolved original is never deleted, neither at once nor by age.
//   - The sweep touches only what the journal knows as retired with a verdict.
//   - Result files hold no cell's value, and of the server's words no run of
//     eleven digits or more.
//
// What cannot be done for want of permission, space or a writable volume is a
// local fault: it waits, with a remedy, and nothing is ever sent again for it.
package retire
