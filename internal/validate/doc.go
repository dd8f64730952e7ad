// Package validate reads a settled file once and says what is wrong with it
// before anything is sent.
//
// A [Checker] is a writer: the bytes of a file are written to it in pieces of
// any size, and Close gives the [Report]. It works on the raw bytes, in
// constant memory: the file is never transcoded, and never rewritten. The
// [Stage] puts the checker into the one pass that also digests and packs.
//
// How a file is read:
//   - Bytes → charset: a byte order mark decides; else strictly valid UTF-8;
//     else GB18030. The decision is made on the first 64 KiB after the first
//     byte beyond ASCII, by which nothing has been judged that depends on it.
//     A file with fewer than 32 multi-byte characters in that window stays
//     open to be judged GB18030 when the first sequence that is not UTF-8
//     turns up, as long as all that was seen is valid GB18030 too; characters
//     counted until then may be counted too low by at most those 32.
//   - Bytes → rows → fields: the comma, the quote and the line ends never
//     occur inside a character of GB18030 or UTF-8, so they are split on raw
//     bytes. The header is row 1; a quoted line break does not begin a row.
//   - Fields → columns by the header, whatever their order.
//
// Invariants:
//   - A finding never holds a cell's value: row, column, rule, expected form,
//     and for columns without personal data the shape of what was found.
//   - Memory is bounded by limits on the row, the number of fields and the
//     findings kept, whatever the file; time is linear in its size.
//   - Any sequence of bytes gives a report; nothing panics.
//   - A large file is packed in a goroutine beside the checks, four pieces ahead
//     at most; it has ended when the pass has.
package validate
