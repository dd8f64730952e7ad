package upload

import "time"

// Event is one change of one upload, as the journal keeps it: a row for every
// transition, in the same transaction. A repeated hold or poll for the same
// reason adds no row.
type Event struct {
	Seq      int64 // grows over the whole journal
	UploadID ID
	Channel  Channel
	At       time.Time
	Name     string // the transition, e.g. "settled", "retry"; "spotted" for the first
	From     State  // empty for the first
	To       State
	Verdict  Verdict
	Reason   Reason
	Detail   string
	Attempt  int
}
