// Package pack makes the packed copy of a source and keeps it in the spool
// until it is delivered: a zip of exactly one entry, the CSV under its own name.
//
// The bytes come from the one pass over the source that validation makes: it
// opens a [Packing], writes to it what it reads, and finishes or aborts it. The
// stage itself ([Stage.Run]) then decides whether the copy may be sent: it is
// still what is in the watched directory, and no other upload has delivered, or
// is delivering, the same content.
//
//	Begin ─ Write… ─ Finish      spool/<id>.zip.part, fsynced unless small
//	Run                          renamed to spool/<id>.zip, directory fsynced unless small
//	Open                         size and digest checked again before sending
//
// A small copy (8 MiB) is digested before every sending; so it need not outlast a
// power cut: what that has left of it is found not to be what was packed, and the
// source is read once more. A large copy is digested once per process, and synced.
//
// A copy of up to 16 KiB has no file at first: most are delivered and put away
// before theirs would be missed. It waits in memory, [Options.Hold] bytes in all, and
// is written when it is five seconds old or the stage is closed. A process that is
// killed meanwhile leaves it as a power cut does: the source is read once more. Not
// so where other processes use the spool.
//
// How hard is tried is chosen by a [Chooser]: the level with which a file has
// arrived soonest, packing and sending together. Up to level 9 a fast encoder
// packs, beyond it package optimal, for one file at a time; what is small has an
// encoder of its own ([optimal.Small]) unless a level is asked for. On a slow link a
// copy is made smaller while it is sent ([Stage.Recompress], ADR 0018).
//
// Invariants:
//   - The same content, name, modification time and level give the same bytes.
//   - Memory does not depend on the file's size.
//   - The spool holds at most Limit bytes, and packing leaves Reserve bytes free
//     on its disk; what would break this ends in a local fault, and the partial
//     file is removed.
//   - Every step may be repeated after a crash at any point.
//   - The right to deliver a content (the content key) comes with [upload.Packed]
//     alone, and the journal keeps it unique; the question asked here spares the
//     conflict, it is not the guard.
package pack
