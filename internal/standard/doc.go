// Package standard holds the interface standards as data: which kinds of files
// a channel takes, how they are named, what columns they have, and which rules
// bind their columns, rows and files together.
//
// A standard is a folder of CSV files in a small, versioned format, described
// in docs/standards.md. Those this program knows are embedded; an operator may
// mount a folder of the same shape that adds standards or changes single
// columns, rules and dictionaries of the embedded ones. A new family of files
// is a new data file, never new code.
//
// Invariants:
//   - A Library is immutable once loaded, and safe for concurrent use.
//   - Loading is all or nothing: a fault in any file, embedded or mounted, is
//     an error that names the file, the line and the reason.
//   - Everything a rule refers to (columns, dictionaries) exists.
//   - Column codes are compared without regard to case; a code is unique within
//     its kind only, a dictionary's name within its standard only.
package standard
