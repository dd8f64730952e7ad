// Package exporter is a make-believe HIS: it writes files of invented patients
// into watched directories, in the ways that real exporters have been seen to
// write theirs. The demonstration and our own tests use it.
//
// One run writes a file of each of the seven feeds (six on channel flu, one on
// hqms), in UTF-8 with and without byte order mark and in GB18030, and two more
// whose names ask the sandbox to reject them and to store them in part. Some
// are written in one go, some renamed into place from a temporary name, one is
// appended to while it is open, one is closed and opened again for each portion.
//
// Invariants:
//   - No two runs write the same content or the same name, so that a server
//     never takes one for the other.
//   - A file that was begun is finished, also when the run is cancelled: the
//     pauses are skipped then, the bytes are not.
//   - An existing file is never overwritten.
package exporter
