// Package check is the self-check an operator runs before (or instead of)
// reading a manual: hqms-sidecar check. It looks at every setting, every
// directory, and, through the interfaces of [Options], at the writer probe, the
// file events and the way to each server, and says of each what is wrong and
// exactly what to do, in Chinese and English.
//
// Invariants:
//   - It changes nothing: what it writes to try a directory it removes again,
//     under dotted names that no watcher takes. It sends no file.
//   - It goes on after a failure; one run tells everything.
//   - A report holds no secret: of settings that are, only whether they are set.
package check
