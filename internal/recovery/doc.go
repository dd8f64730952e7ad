// Package recovery brings a lost journal back. It keeps a second, small record
// of what must not be forgotten, apart from the database, and rebuilds rows from
// it and from what lies in the directories.
//
// # The log
//
// recovery/<yyyy-mm>.jsonl in the state directory holds one line for each of
// three moments of an upload, each written and synced before what it is about
// happens:
//
//	a ticket was issued          before the first byte goes out under it
//	the verdict is durable       before the original is touched
//	an operator cancelled it
//
// A line is the upload as it was then, tokens included: the files are readable
// by their owner alone. Lines are only ever appended. A line that cannot be
// read (torn by a crash) is counted and passed over.
//
// A channel that an operator has paused has a file of its own, paused-<name>.json,
// for as long as it is: a rebuilt journal must not send what somebody held.
//
// [Log.Compact] keeps the log small. What is older than the journal's retention is
// reduced to one short line for each upload whose content the server has, and to
// what the journal still knows.
//
// # The rebuilding
//
// [Rebuild] is for a journal that is new although the state directory is not:
//
//	log          upload with a ticket and no verdict → packed with its ticket: the
//	             server is asked before anything is sent again
//	             upload with a verdict → retired, its original not yet found
//	archive/     originals → retired, in the archive; without a line in the log:
//	             accepted, since nothing else gets there
//	quarantine/  the same, by the result beside the original; without either:
//	             unresolved
//	watched      originals set aside, or still in place, of uploads with a verdict →
//	             decided: the retire stage goes on. All other files are spotted anew.
//
// It may be broken off and repeated: what is known is passed over.
//
// [CatchUp] is for every other start: it compares the end of the log with the
// journal, and where that does not know it, what was written before, back to where it
// does, so that a journal put back from an older copy, or one that lost its last
// changes, does not send anything twice.
//
// # What is not brought back
//
// Findings one by one (their counts are), and events. Kept originals that were parked without ever
// getting a ticket are taken again.
package recovery
