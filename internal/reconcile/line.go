package reconcile

import (
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Reason says why rows that were exported are not stored; the set is closed and
// its words are in the phrase catalogue under gap.<reason>.
type Reason string

// The reasons.
const (
	Waiting           Reason = "waiting"
	WaitingForVerdict Reason = "waiting_for_verdict"
	Invalid           Reason = "invalid"
	Rejected          Reason = "rejected"
	PartiallyAccepted Reason = "partially_accepted"
	Unresolved        Reason = "unresolved"
	Failed            Reason = "failed"
	Cancelled         Reason = "cancelled"
	Vanished          Reason = "vanished"
	Superseded        Reason = "superseded"
	CountDiffers      Reason = "count_differs" // accepted, but the server counted other than we did
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{
		Waiting, WaitingForVerdict, Invalid, Rejected, PartiallyAccepted, Unresolved,
		Failed, Cancelled, Vanished, Superseded, CountDiffers,
	}
}

// Uncounted says why a file is in no sum.
type Uncounted string

// Why.
const (
	Replaced Uncounted = "replaced" // a later export of the same name counts
	Repeated Uncounted = "repeated" // another file delivered the same content
)

// Rows counts data rows along the way.
type Rows struct{ Exported, Checked, Sent, Stored int64 }

// Line is one upload.
type Line struct {
	journal.Account
	Uncounted Uncounted // empty: it counts
	Rows      Rows
	Gap       Reason // empty: none
}

// LineOf does the sum of one upload.
func LineOf(a journal.Account) Line {
	l := Line{Account: a, Rows: Rows{Exported: a.Rows, Checked: a.Rows}}
	if atServer(a) {
		l.Rows.Sent = a.Rows
	}
	l.Rows.Stored = stored(a)
	l.Gap = gapOf(a, l.Rows)
	switch {
	case a.Verdict.AtServer() && !a.Holds:
		l.Uncounted = Repeated
	case a.Successor != "" && !a.Verdict.Good():
		l.Uncounted = Replaced
	}
	return l
}

// atServer reports whether the server took the file.
func atServer(a journal.Account) bool {
	if a.Verdict == "" {
		return a.State == upload.StateSent
	}
	return a.Verdict.AtServer() || a.Verdict == upload.Rejected && !a.SentAt.IsZero()
}

// stored is what the server stored of it.
func stored(a journal.Account) int64 {
	switch {
	case a.Verdict == upload.Duplicate:
		return a.Rows // the receipt, if any, is of an earlier delivery
	case a.Verdict != upload.Accepted && a.Verdict != upload.PartiallyAccepted:
		return 0
	case a.Receipt != nil && a.Receipt.Grades != nil:
		return a.Receipt.Grades.Stocked
	case a.Verdict == upload.Accepted:
		return a.Rows
	default:
		return 0
	}
}

func gapOf(a journal.Account, r Rows) Reason {
	switch a.Verdict {
	case upload.Accepted, upload.Duplicate:
		if r.Exported != r.Stored {
			return CountDiffers
		}
		return ""
	case upload.PartiallyAccepted:
		return PartiallyAccepted
	case upload.Rejected:
		return Rejected
	case upload.Invalid:
		return Invalid
	case upload.Unresolved:
		return Unresolved
	}
	switch a.State {
	case upload.StateSent:
		return WaitingForVerdict
	case upload.StateFailed:
		return Failed
	case upload.StateCancelled:
		return Cancelled
	case upload.StateVanished:
		return Vanished
	case upload.StateSuperseded:
		return Superseded
	default:
		return Waiting
	}
}
