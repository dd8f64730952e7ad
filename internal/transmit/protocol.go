package transmit

import (
	"context"
	"io"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Edition is a national or regional edition of a code list.
type Edition string

// The editions.
const (
	// National is 全国版.
	National Edition = "national"
	// Beijing is 北京版.
	Beijing Edition = "beijing"
)

// Coding says by which editions the diagnoses and operations of a channel's
// files are coded. The zero Edition leaves the choice to the server.
type Coding struct {
	Diagnosis  Edition // ICD-10
	Morphology Edition // ICD-10 morphology
	Procedure  Edition // ICD-9-CM-3
}

// Delivery is one upload on its way to the server.
type Delivery struct {
	Upload upload.Upload
	Coding Coding
}

// Body is the packed copy. It is read from its start, Size bytes of it.
type Body struct {
	io.ReadSeeker
	Size int64
}

// Progress is told how many bytes of the body have been handed to the
// connection so far. It is called often and must not block. It may be nil.
type Progress func(sent int64)

// Sending says how far a body got.
type Sending struct {
	// Ticket is the ticket as it stands now: its Fate is Broken, Maybe or
	// Answered, never Untouched.
	Ticket upload.Ticket
	// Refused is the server's answer that it does not take this very upload,
	// and never will; nil otherwise.
	Refused *upload.Receipt
	// Doubtful says that the refusal may be about the ticket, or the moment,
	// and not about the upload: it deserves a second asking under a new ticket.
	Doubtful bool
	// Cause is what went wrong; nil when the server answered.
	Cause *upload.Fault
}

// Protocol is a way of docking to a server. One value serves one channel; its
// methods may be called concurrently. Errors are *upload.Fault, or wrap the
// context's error; none holds a secret, a URL's query, or words of the server
// (those travel in upload.Receipt and upload.Refusal).
type Protocol interface {
	// Admit asks for permission to send. Nothing of the file goes out.
	// Repeating it is harmless but costs a ticket. Refused credentials are a
	// fault of class Refused.
	Admit(ctx context.Context, d Delivery) (upload.Ticket, error)

	// Send sends the body under a ticket that is durable already. It reports
	// also the ends that are no success in Sending; an error means that not
	// one byte was handed to the connection and that the ticket is untouched.
	// When ctx ends it stops and still says how far it got.
	Send(ctx context.Context, d Delivery, t upload.Ticket, body Body, p Progress) (Sending, error)

	// Arrived asks whether a body, sent under t and broken off, is at the
	// server as a whole after all.
	Arrived(ctx context.Context, t upload.Ticket) (bool, error)

	// Result asks what became of the delivery made under t.
	Result(ctx context.Context, t upload.Ticket) (upload.Answer, error)
}
