// Package upload is the domain: what an upload is, which states it passes, how
// it can end, and the only ways from one state to the next. It uses the
// standard library alone and does no input or output.
//
// An upload is the journey of one content of one file, with one ID, from the
// moment the file is spotted in a watched directory to the moment its original
// is put away:
//
//	watch ─▶ settle ─▶ validate ─▶ pack ─▶ transmit ─▶ confirm ─▶ retire
//	spotted  settled   validated   packed  sent        decided    retired
//
// A state says what has been done, never what is being done: work in progress
// is a lease on the journal's row. After a crash the row tells the last thing
// finished, and the stage that starts from there runs again.
//
// Invariants:
//   - Nobody writes a State. A stage returns an [Outcome], made by one of the
//     named constructors, and [Outcome.Apply] fills the only legal combination
//     of fields, or refuses.
//   - A verdict is set exactly when the upload is decided or retired (or was
//     cancelled or failed after having been decided).
//   - FinishedAt is set exactly in the final states.
//   - ContentKey is held from packed on, until the server is known not to have
//     the content; the journal keeps it unique per channel. That is what
//     makes "accepted at most once" hold over restarts and replicas.
//
// Faults are classified where they are understood, as a [Fault] with a [Reason]
// out of a closed set; what to do about them (try again, hold, give to the
// operator) is decided in the pipeline alone.
package upload
