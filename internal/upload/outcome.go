package upload

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrIllegalTransition is returned by Apply when an outcome does not fit the
// state of the upload. It is a fault of ours, never of a file.
var ErrIllegalTransition = errors.New("illegal transition")

// Outcome is the result of one stage (or of an operator's call): a named,
// legal step from one state to the next, with everything that changes with it.
// The zero Outcome is not valid; make one with a constructor below.
type Outcome struct {
	name     string
	from     []State
	to       State // empty: the state stays
	reason   Reason
	detail   string
	keeps    bool                // without a reason of its own, the upload's stays
	after    time.Duration       // do not work on it before
	when     func(u Upload) bool // nil: in every such state
	change   func(u *Upload, now time.Time)
	findings []Finding
	adopts   ID
}

// Name is the transition's name, e.g. "settled", "hold"; it names event rows.
func (o Outcome) Name() string { return o.name }

// Findings are to be stored with the upload, replacing earlier ones; nil: leave them.
func (o Outcome) Findings() []Finding { return o.findings }

// Adopts is the upload whose content key passes to this one; empty: none.
func (o Outcome) Adopts() ID { return o.adopts }

// Reason is why; empty when all is as usual.
func (o Outcome) Reason() Reason { return o.reason }

// Detail is the reason's particulars.
func (o Outcome) Detail() string { return o.detail }

// Stays reports whether the upload stays in its state.
func (o Outcome) Stays() bool { return o.to == "" }

// After gives the same outcome with a pause: the upload is not worked on before
// d has gone by. A pause the outcome has already is never shortened.
func (o Outcome) After(d time.Duration) Outcome {
	o.after = max(o.after, d)
	return o
}

// As says that the packed bytes were these, and not those that are waiting: they
// were made anew while they were sent.
func (o Outcome) As(size int64, digest string) Outcome {
	change := o.change
	o.change = func(u *Upload, now time.Time) {
		u.PackedSize, u.PackedDigest = size, digest
		if change != nil {
			change(u, now)
		}
	}
	return o
}

// Apply gives the upload as it is after the outcome, at now. It fails with
// ErrIllegalTransition when the outcome does not start from u's state.
func (o Outcome) Apply(u Upload, now time.Time) (Upload, error) {
	if o.name == "" || !slices.Contains(o.from, u.State) || (o.when != nil && !o.when(u)) {
		return u, fmt.Errorf("%w: %q from %s", ErrIllegalTransition, o.name, u.State)
	}
	now = now.UTC()
	u.UpdatedAt, u.NextAttemptAt = now, now.Add(o.after)
	if o.reason != "" || !o.keeps {
		u.Reason, u.Detail = o.reason, o.detail
	}
	if o.to == StateFailed {
		u.ResumeAt = u.State
	}
	if o.to != "" && o.to != u.State {
		u.State, u.Attempt = o.to, 0
	}
	if o.change != nil {
		o.change(&u, now)
	}
	switch {
	case !u.State.Final():
		u.FinishedAt = time.Time{}
	case u.FinishedAt.IsZero(): // a relocation does not finish it a second time
		u.FinishedAt = now
	}
	return u, nil
}

// Hold leaves the upload where it is, to be looked at again after d. No attempt
// is counted: nothing has gone wrong.
func Hold(d time.Duration, r Reason, detail string) Outcome {
	return Outcome{name: "hold", from: OpenStates(), after: d, reason: r, detail: detail}
}

// HoldLooking is Hold for settling: it keeps what the look saw.
func HoldLooking(d time.Duration, r Reason, seen Identity) Outcome {
	return Outcome{
		name: "hold", from: []State{StateSpotted}, after: d, reason: r,
		change: func(u *Upload, _ time.Time) { u.Source = seen },
	}
}

// Retry leaves the upload where it is after a passing fault, to be tried again
// after d; the attempt is counted.
func Retry(d time.Duration, r Reason, detail string) Outcome {
	return Outcome{
		name: "retry", from: OpenStates(), after: d, reason: r, detail: detail,
		change: func(u *Upload, _ time.Time) { u.Attempt++ },
	}
}

// Settled says that the file is complete; seen is the identity it was complete with.
func Settled(seen Identity) Outcome {
	return Outcome{
		name: "settled", from: []State{StateSpotted}, to: StateSettled,
		change: func(u *Upload, _ time.Time) { u.Source = seen },
	}
}

// Vanished says that the file went away before its content was read.
func Vanished() Outcome {
	return Outcome{
		name: "vanished", from: []State{StateSpotted, StateSettled}, to: StateVanished, reason: SourceVanished,
		change: func(u *Upload, _ time.Time) { u.Place, u.Path = Gone, "" },
	}
}

// Superseded says that the file is no longer the content that settled; what is there now
// is a new upload's matter.
func Superseded() Outcome {
	return Outcome{
		name: "superseded", from: []State{StateSettled}, to: StateSuperseded, reason: SourceChanged,
		change: func(u *Upload, _ time.Time) { u.Place, u.Path = Gone, "" },
	}
}

// Unfit says that the path is not a file that can be taken (replaced by a directory, a
// FIFO, a symlink since it was spotted).
func Unfit(r Reason) Outcome {
	return Outcome{
		name: "unfit", from: []State{StateSpotted, StateSettled}, to: StateVanished, reason: r,
		change: func(u *Upload, _ time.Time) { u.Place, u.Path = Gone, "" },
	}
}

// Validated says that the content was read once, digested, found fit to be sent, and
// compressed into the spool.
func Validated(x Examination) Outcome {
	return Outcome{
		name: "validated", from: []State{StateSettled}, to: StateValidated,
		findings: orEmpty(x.Findings), change: func(u *Upload, _ time.Time) { u.examined(x) },
	}
}

// HeldBack says that the checks found what BLOCK_ON does not let pass; nothing was sent.
func HeldBack(x Examination) Outcome {
	return Outcome{
		name: "held_back", from: []State{StateSettled}, to: StateDecided, reason: FindingsBlock,
		findings: orEmpty(x.Findings), change: func(u *Upload, _ time.Time) {
			x.PackedSize, x.PackedDigest = 0, ""
			u.examined(x)
			u.Verdict, u.VerdictReason = Invalid, FindingsBlock
		},
	}
}

// Resettled says that the file changed while it was read, or the packed copy is gone;
// it is read again.
func Resettled(r Reason) Outcome {
	return Outcome{
		name: "resettled", from: []State{StateValidated, StatePacked}, to: StateSettled, reason: r,
		change: func(u *Upload, _ time.Time) {
			u.Digest, u.Rows, u.Charset, u.Standard, u.PackedSize, u.PackedDigest = "", 0, "", "", 0, ""
			u.Findings, u.ContentKey = Tally{}, ""
		},
	}
}

// Packed says that the packed copy is durable in the spool, and this upload now holds
// the right to deliver its content.
func Packed() Outcome {
	return Outcome{
		name: "packed", from: []State{StateValidated}, to: StatePacked,
		change: func(u *Upload, _ time.Time) { u.ContentKey = u.Digest },
	}
}

// PackedAdopting is Packed where an earlier upload of the same content was given
// up (cancelled, failed, unresolved) although the server may have it: its right
// and its ticket pass to this upload, which asks before it sends.
func PackedAdopting(earlier Upload) Outcome {
	return Outcome{
		name: "packed", from: []State{StateValidated}, to: StatePacked, adopts: earlier.ID,
		change: func(u *Upload, _ time.Time) {
			u.ContentKey, u.Ticket = u.Digest, earlier.Ticket
			u.Ticket.Unknowns, u.Ticket.UnknownSince = 0, time.Time{}
			if !u.Ticket.IsZero() && u.Ticket.Fate == Answered {
				u.Ticket.Fate = Maybe
			}
		},
	}
}

// DeliveredEarlier says that an earlier upload delivered this very content to the
// channel's server; it is not sent again.
func DeliveredEarlier(earlier Upload) Outcome {
	return Outcome{
		name: "delivered_earlier", from: []State{StateValidated}, to: StateDecided, reason: DeliveredBefore,
		detail: string(earlier.ID), change: func(u *Upload, _ time.Time) {
			u.Verdict, u.VerdictReason, u.Receipt = Duplicate, DeliveredBefore, earlier.Receipt
			if earlier.Verdict == PartiallyAccepted {
				u.Verdict = PartiallyAccepted
			}
		},
	}
}

// Sent says that the body went out under t; its Fate says whether the server answered.
func Sent(t Ticket, r Reason) Outcome {
	return Outcome{
		name: "sent", from: []State{StatePacked}, to: StateSent, reason: r,
		change: func(u *Upload, now time.Time) {
			u.Ticket, u.Polls = t, 0
			if u.SentAt.IsZero() {
				u.SentAt = now
			}
		},
	}
}

// BrokenOff says that a passing fault ended the sending before the body was written
// whole; the ticket is kept to be asked about first.
func BrokenOff(t Ticket, d time.Duration, r Reason, detail string) Outcome {
	return Outcome{
		name: "broken_off", from: []State{StatePacked}, after: d, reason: r, detail: detail,
		change: func(u *Upload, _ time.Time) { u.Ticket = t; u.Attempt++ },
	}
}

// Polled says that the server was asked and is not done; ask again after d. t carries
// the counted unknown answers.
func Polled(t Ticket, d time.Duration, r Reason) Outcome {
	return Outcome{
		name: "polled", from: []State{StateSent}, after: d, reason: r,
		change: func(u *Upload, _ time.Time) { u.Ticket = t; u.Polls++; u.Attempt = 0 },
	}
}

// Unarrived says that the server does not have the delivery; send it again, under a new
// ticket, after d.
func Unarrived(d time.Duration) Outcome {
	return Outcome{
		name: "unarrived", from: []State{StateSent}, to: StatePacked, after: d, reason: NotArrived,
		change: func(u *Upload, _ time.Time) { u.Ticket = Ticket{} },
	}
}

// Decided gives the verdict of the server, or says that there is none.
func Decided(v Verdict, r Reason, receipt *Receipt) Outcome {
	return Outcome{
		name: "decided", from: []State{StatePacked, StateSent}, to: StateDecided, reason: r,
		change: func(u *Upload, _ time.Time) {
			u.Verdict, u.VerdictReason, u.Receipt = v, r, receipt
			if !v.AtServer() {
				u.ContentKey = ""
			}
		},
	}
}

// Retired says that the original is put away at place and path (see Upload.Path). The
// reason of the verdict stays, unless r says more.
func Retired(place Place, path string, r Reason) Outcome {
	return Outcome{
		name: "retired", from: []State{StateDecided}, to: StateRetired, reason: r, keeps: true,
		change: func(u *Upload, _ time.Time) {
			u.Place, u.Path = place, path
			if r == "" && u.Reason != u.VerdictReason {
				u.Reason, u.Detail = u.VerdictReason, "" // what held the putting away up is over
			}
		},
	}
}

// Relocated says that the original of a finished upload moved: restored, or removed by
// the retention sweep.
func Relocated(place Place, path string) Outcome {
	return Outcome{name: "relocated", from: []State{StateRetired}, keeps: true, change: func(u *Upload, _ time.Time) {
		u.Place, u.Path, u.NextAttemptAt = place, path, time.Time{}
	}}
}

// PutBackAsFile says that a copy of the retired original stands in the watched
// directory again, for people; seen is that copy. The change time is not known
// before the copy has its name, and is left out.
func PutBackAsFile(seen Identity) Outcome {
	return Outcome{name: "put_back_as_file", from: []State{StateRetired}, reason: RestoredAsFile, change: func(u *Upload, _ time.Time) {
		seen.ChangeTime = 0
		u.Source, u.NextAttemptAt = seen, time.Time{}
	}}
}

// StillHere says of an upload whose record was lost and made anew that its original
// has not been put away yet.
func StillHere() Outcome {
	return Outcome{
		name: "still_here", from: []State{StateRetired}, to: StateDecided, reason: JournalRebuilt,
		when:   func(u Upload) bool { return u.Place == Gone && u.Reason == JournalRebuilt },
		change: func(u *Upload, _ time.Time) { u.Place, u.Path = InWatch, u.Filename },
	}
}

// Failed parks the upload after a permanent fault until an operator acts.
func Failed(r Reason, detail string) Outcome {
	return Outcome{
		name: "failed", from: OpenStates(), reason: r, detail: detail, to: StateFailed,
		change: func(u *Upload, _ time.Time) { u.NextAttemptAt = time.Time{} },
	}
}

// Cancelled says that an operator ended it. The original stays where it is. The content
// key stays too if the server may have the content. A decided upload cannot be
// cancelled says that its original may be on the way already.
func Cancelled() Outcome {
	return Outcome{
		name: "cancelled", from: []State{StateSpotted, StateSettled, StateValidated, StatePacked, StateSent, StateFailed}, to: StateCancelled, reason: OperatorCancelled,
		change: func(u *Upload, _ time.Time) {
			u.NextAttemptAt, u.ResumeAt = time.Time{}, ""
			if !u.maybeAtServer() {
				u.ContentKey = ""
			}
		},
	}
}

// Retried says that an operator wants it tried now. A failed upload goes back to where
// it failed; an open one loses its pause.
func Retried() Outcome {
	return Outcome{
		name: "retried", from: append(OpenStates(), StateFailed), reason: OperatorRetried,
		change: func(u *Upload, _ time.Time) {
			u.Attempt = 0
			if u.State != StateFailed {
				return
			}
			u.State, u.ResumeAt = u.ResumeAt, ""
			if u.ContentKey == "" && (u.State == StatePacked || u.State == StateSent) {
				u.State = StateValidated // another upload took over the content meanwhile
			}
		},
	}
}

// AskedAgain says that an operator wants the server asked again about an unresolved
// delivery whose original is still in the watched directory; the deadline
// starts anew.
func AskedAgain() Outcome {
	return Outcome{
		name: "asked_again", from: []State{StateDecided, StateRetired}, to: StateSent, reason: OperatorRetried,
		when: func(u Upload) bool { return u.Verdict == Unresolved && u.ContentKey != "" && u.Place == InWatch },
		change: func(u *Upload, now time.Time) {
			u.Verdict, u.VerdictReason, u.SentAt, u.Polls = "", "", now, 0
			u.Ticket.Unknowns, u.Ticket.UnknownSince = 0, time.Time{}
		},
	}
}

func (u *Upload) examined(x Examination) {
	u.Digest, u.Rows, u.Charset, u.Standard = x.Digest, x.Rows, x.Charset, x.Standard
	u.PackedSize, u.PackedDigest, u.Findings = x.PackedSize, x.PackedDigest, x.Tally
}

// maybeAtServer reports whether the server has, or may have, the content.
func (u *Upload) maybeAtServer() bool {
	return u.Verdict.AtServer() || (!u.Ticket.IsZero() && u.Ticket.Fate != Broken)
}

func orEmpty(f []Finding) []Finding {
	if f == nil {
		return []Finding{}
	}
	return f
}
