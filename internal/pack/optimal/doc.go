// Package optimal is a deflate encoder (RFC 1951) for slow links: it takes its
// time and gives about what zopfli gives, in bounded memory.
//
// How: for each position every match worth having is found in binary trees
// over the last 32 KiB ([finder]). Of all ways to put a chunk of the input
// together from literals and matches the cheapest is taken, by what each symbol
// costs in bits ([parser]); where blocks end is decided by trying every cut
// between 32 pieces ([splitter]); each block's own counts then give better
// costs, and the way is searched again ([encoder]). The codes are the shortest
// of 15 bits at most ([coder]); a block is written in the smallest of its three
// forms.
//
//	Write ── trees ──▶ matches of a chunk ──▶ parse, split, parse again ──▶ bits
//	the caller's goroutine                    a goroutine of the writer
//
// The two halves take about as long as each other, so that two cores are used,
// and the output does not depend on how many there are.
//
// Where a source is small (some kilobytes) and there are many, [Small] is the other
// end of the same means: the longest match, one position ahead, from chains of as
// few entries as the source has bytes; one block, the same codes.
//
// Invariants:
//   - The same input, in whatever pieces, and the same effort give the same
//     bytes; any inflater gives the input back.
//   - The output is never longer than the input by more than 5 bytes for each 64
//     KiB (of a Small: 32 KiB) begun and 16 more.
//   - Memory is some 9 MB (of a Small: 270 KB), whatever the input. A writer can be
//     used again.
//   - After Close or Stop nothing is written any more, and no goroutine is left.
//
// A fault of the underlying writer ends the writer: it is told by the next Write
// that fills a chunk, or by Close.
package optimal
