// Package watch is the first stage: it spots files in a watched directory and
// tells the journal of each. One [Watcher] watches one channel's directory.
//
// The rescan is the truth, events are for speed. Everything works with events
// switched off, lost, or false (as on network file systems, where only this
// machine's writers are heard of); it only takes up to one rescan interval
// longer. The watch is set up before the directory is read, so that nothing
// falls between the two, and it is set up anew, and the directory read at once,
// after an overflow, an error, and when the path leads to another directory
// (removed and made again, remounted).
//
//	events ─▶ touched ─(2 ms)─▶ look ─┐
//	rescan ───────────────────▶ look ─┼─▶ pending ─▶ Ledger.SpotAll ─▶ known, Began
//	Released, Scan ───────────▶ look ─┘   (oldest first)
//
// A close or a rename is looked at without those 2 ms: the file is likely whole.
//
// One goroutine, that of [Watcher.Run], owns all of this; the exported methods
// leave it notes under a lock and never wait for it (except Scan, which wants
// the answer). During a rescan some lookers compare what they see with what is
// known, which the owner does not change before they are done.
//
// A rescan reads every name, and the inode that the directory has for it: new, gone
// and replaced files are found by that. Known files at rest are looked at by turns
// where there are many and events are seen to come, each within eight rescans; all of
// them otherwise, and whenever an event may have been missed (ADR 0020).
//
// Invariants:
//   - A file of ours is either known with the identity it has, or pending, or
//     will be found by the next rescan; or by the eighth, if it is known, among many,
//     and was changed in place without an event. A ledger that fails leaves it pending.
//   - What is known is only a memory that saves asking: it is dropped when an
//     upload ends ([Watcher.Released]) and asked again now and then while one is
//     open, since another replica may have ended it.
//   - Files are never opened, names never followed, directories never entered.
//
// Names: dotfiles, "~$…", *.tmp, *.part, *.partial, *.crdownload and marker
// files are ignored; names that are no kind of the channel are left alone and
// counted; names that are not UTF-8 or hold control characters, and things of
// our names that are no regular files, are reported and not taken.
//
// Besides sightings the watch gives two hints to settling: that a file was
// renamed into place ([Watcher.RenamedIntoPlace]), and, by the Nudge callback,
// that now is a good time to look again. Both may be missing at any time.
package watch
