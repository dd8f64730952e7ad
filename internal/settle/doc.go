// Package settle is the stage that decides when a file is complete. It takes an
// upload from spotted to settled, or holds it and says why.
//
// Safety comes before speed: an exporter may close and open its file again for
// every row, pause for seconds with the file open, copy with an old time of
// modification, or rewrite in place. So nothing is ever concluded from the age
// of a file. What counts is what this process saw itself, by its own monotonic
// clock: a file is unchanged for as long as all looks at it gave the same
// identity (inode, size, mtime, ctime), and the count begins anew with every
// difference, with every writer seen, and with every start of the process.
//
// The modes:
//
//   - auto: renamed into place from an ignored name and nobody has it open for
//     writing: at once. Else unchanged for the quiet period, and nobody has it
//     open; where that cannot be said, unchanged for twice the period.
//   - closed: as soon as nobody has it open for writing. A file that is still
//     empty waits as in auto (some exporters create first and fill later), and
//     so does every file where the question cannot be answered.
//   - quiet: unchanged for the quiet period.
//   - marker: when a marker file stands beside it; see [Markers].
//
// A file that is complete at sight ([Stage.AtSight]) needs no upload that waits for
// it: its upload begins as settled, in one change of the journal. That is asked by the
// same evidence as above where the answer needs no second look, and nowhere else.
//
// Whether somebody has a file open for writing is asked of the kernel by taking
// a read lease and giving it back at once. The kernel knows the writers on this
// machine only, so the answer counts on known local file systems alone, and
// only where we are allowed to ask (the file's owner, or CAP_LEASE).
//
// The source is only ever opened for reading and a symbolic link is never
// followed. The memory of looks is this process's own, bounded, and dropped
// when an upload leaves the stage; losing it costs one quiet period.
package settle
