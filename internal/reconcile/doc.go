// Package reconcile does the sums: of all rows that were exported, how many are
// stored at the server, and where are the others?
//
// # Invariants
//
//   - In every line, item and total: rows exported = rows stored + the rows of
//     all gaps. The items of a report add up to its total.
//   - A file is counted once. An export that was followed by another one of the
//     same name, and is not at the server as a whole, is replaced: the later one
//     counts. A file whose content another file delivered is repeated: that one
//     counts. Both are listed, and are in no sum.
//   - A file that was never read has no rows that anybody knows: it is a gap of
//     one file and no rows, and so still no balance.
//
// Rows stored are those of the server's receipt; where it gives none, an accepted
// file's rows are all stored. Days are those of spotting in the zone given.
package reconcile
