package upload

import (
	"fmt"
	"time"
)

// Standing is how a delivery stands at the server, as far as its answer goes.
type Standing string

// The standings.
const (
	// StandingUnknown: the server does not know the ticket, or not yet.
	StandingUnknown Standing = "unknown"
	// StandingWorking: the server has the delivery and is not done with it.
	StandingWorking Standing = "working"
	// StandingDone: the server is done; the answer holds a verdict.
	StandingDone Standing = "done"
	// StandingDuplicate: the server says that it has this content already.
	StandingDuplicate Standing = "duplicate"
)

// Answer is what a server said when it was asked what became of a delivery.
// It speaks of one ticket; what it means for the upload is confirm's to say.
type Answer struct {
	Standing Standing
	Verdict  Verdict  // set exactly when Standing is StandingDone
	Reason   Reason   // of the verdict, or of going on waiting; may be empty
	Receipt  *Receipt // the server's words and counts; nil where it gave none
}

// Refusal carries a server's own words through an error chain without putting
// them into the error's text: they are untrusted, to be shown to an operator
// and kept out of logs and traces.
type Refusal struct {
	Code    string
	Message string
}

// Error implements error. It repeats nothing that the server said.
func (r *Refusal) Error() string { return "refused by the server" }

// Closed is returned instead of a fault where a channel lets nothing begin for
// now: nothing has gone wrong with the upload, it waits. After For it may be
// tried again; whoever opens the channel earlier wakes it.
type Closed struct {
	Reason Reason
	Detail string // for the operator; bound by the same rule as Fault.Detail
	For    time.Duration
}

// Error implements error.
func (c *Closed) Error() string { return fmt.Sprintf("channel closed: %s", c.Reason) }
