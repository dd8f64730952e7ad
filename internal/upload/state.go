package upload

import "slices"

// State says what has been done for an upload.
type State string

// The states. The first seven are the way of a file; the rest are where it can
// end early.
const (
	// StateSpotted: the file was seen in the watched directory; it may still be growing.
	StateSpotted State = "spotted"
	// StateSettled: the file has stopped changing and is complete.
	StateSettled State = "settled"
	// StateValidated: the content was read once, digested, checked and compressed.
	StateValidated State = "validated"
	// StatePacked: the packed copy is durable in the spool, ready to be sent.
	StatePacked State = "packed"
	// StateSent: the packed bytes went out; the server has them, or may have them.
	StateSent State = "sent"
	// StateDecided: the verdict is durable; the original has not been touched yet.
	StateDecided State = "decided"
	// StateRetired: the original has been put away. Final.
	StateRetired State = "retired"
	// StateFailed: a permanent fault; parked until an operator retries or cancels.
	StateFailed State = "failed"
	// StateCancelled: an operator ended it. Final.
	StateCancelled State = "cancelled"
	// StateVanished: the file went away before its content was read. Final.
	StateVanished State = "vanished"
	// StateSuperseded: the file changed before its content was read whole; the
	// new content is a new upload. Final.
	StateSuperseded State = "superseded"
)

// States lists every state, in the order of the way and then the early ends.
func States() []State {
	return []State{
		StateSpotted, StateSettled, StateValidated, StatePacked, StateSent, StateDecided, StateRetired,
		StateFailed, StateCancelled, StateVanished, StateSuperseded,
	}
}

// Valid reports whether s is one of the states.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// Final reports whether nothing can follow s but an operator's new start.
func (s State) Final() bool {
	switch s {
	case StateRetired, StateCancelled, StateVanished, StateSuperseded:
		return true
	default:
		return false
	}
}

// Open reports whether the pipeline still has work to do in s. A failed upload
// is neither open nor final: it is parked.
func (s State) Open() bool { return s.Valid() && !s.Final() && s != StateFailed }

// OpenStates lists the states in which the pipeline still has work to do.
func OpenStates() []State {
	return []State{StateSpotted, StateSettled, StateValidated, StatePacked, StateSent, StateDecided}
}

// Verdict says how an upload ended.
type Verdict string

// The verdicts.
const (
	// Accepted: the server stored every record.
	Accepted Verdict = "accepted"
	// PartiallyAccepted: the server stored some of the records.
	PartiallyAccepted Verdict = "partially_accepted"
	// Rejected: the server stored nothing, or refused the upload.
	Rejected Verdict = "rejected"
	// Duplicate: the server already had this content. A good end.
	Duplicate Verdict = "duplicate"
	// Invalid: held back by our own checks; never sent.
	Invalid Verdict = "invalid"
	// Unresolved: sent, but no answer could be had before the deadline.
	Unresolved Verdict = "unresolved"
)

// Verdicts lists every verdict.
func Verdicts() []Verdict {
	return []Verdict{Accepted, PartiallyAccepted, Rejected, Duplicate, Invalid, Unresolved}
}

// Valid reports whether v is one of the verdicts; the empty verdict is not.
func (v Verdict) Valid() bool { return slices.Contains(Verdicts(), v) }

// Good reports whether the content is at the server as a whole, so that the
// original may be put away as delivered.
func (v Verdict) Good() bool { return v == Accepted || v == Duplicate }

// AtServer reports whether the server has, or may have, records of this
// content, so that it must not be sent again blindly.
func (v Verdict) AtServer() bool {
	return v == Accepted || v == Duplicate || v == PartiallyAccepted || v == Unresolved
}

// Place says where the original is now.
type Place string

// The places.
const (
	// InWatch: in the watched directory, under its own name.
	InWatch Place = "watch"
	// InArchive: in the archive under STATE_DIR.
	InArchive Place = "archive"
	// InQuarantine: in the quarantine under STATE_DIR, a result file beside it.
	InQuarantine Place = "quarantine"
	// Deleted: removed by us, after a durable verdict, as configured.
	Deleted Place = "deleted"
	// Gone: removed or replaced by somebody else.
	Gone Place = "gone"
	// Expired: removed by the retention sweep.
	Expired Place = "expired"
)

// Places lists every place.
func Places() []Place { return []Place{InWatch, InArchive, InQuarantine, Deleted, Gone, Expired} }
