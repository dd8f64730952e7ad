package transmit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Gate is a channel's gate: it knows whether a delivery may begin now.
type Gate interface {
	// Ready is nil, or *upload.Closed.
	Ready(ctx context.Context) error
	// Admit runs ask when the credentials may be tried now, one at a time
	// while they are unproven, and learns from how it ended. It returns what
	// ask returned, or *upload.Closed.
	Admit(ctx context.Context, ask func(context.Context) error) error
	// Heard tells how another call to the server ended.
	Heard(ctx context.Context, err error)
}

// Spool holds the packed copies.
type Spool interface {
	// Open opens the packed copy of u and gives its size. A copy that is
	// missing or damaged is a fault of reason SpoolLost.
	Open(ctx context.Context, u upload.Upload) (io.ReadSeekCloser, int64, error)
}

// Tickets makes tickets durable.
type Tickets interface {
	// KeepTicket returns when t is durable as u's ticket, under u's fence.
	KeepTicket(ctx context.Context, u upload.Upload, t upload.Ticket, now time.Time) error
}

// Channel is what the stage needs of one channel.
type Channel struct {
	Protocol Protocol
	Gate     Gate
	Coding   Coding
	// WhileSending says that the protocol does not announce a body's digest, so
	// that a body may be made while it is sent.
	WhileSending bool
}

// Recompressed is a packed copy that is made smaller while it is read, from its
// start and once.
type Recompressed interface {
	io.ReadSeekCloser
	// Ready waits until Size is known. Its error says that there is nothing to be
	// read: the copy is to be sent as it is.
	Ready(ctx context.Context) error
	// Size is how many bytes there will be.
	Size() int64
	// Digest is "sha-256:<hex>" of all bytes once they have been read, else "".
	Digest() string
}

// Options are the stage's surroundings. Progress, Logger, Now and Journal may be nil.
type Options struct {
	Channels map[upload.Channel]Channel
	Spool    Spool
	Tickets  Tickets
	// Window is when u may be sent: zero means now, else not before that moment.
	// nil: always. A sending that has begun is finished.
	Window func(u upload.Upload, now time.Time) (opens time.Time)
	// Paced slows down what is read of a packed copy; nil: nothing does. It must
	// end its waiting when ctx ends.
	Paced func(ctx context.Context, body io.ReadSeeker) io.ReadSeeker
	// Recompress begins to make the packed copy of u smaller on its way; nil, or an
	// answer of nil: it is sent as it is.
	Recompress func(ctx context.Context, u upload.Upload) Recompressed
	// Backoff gives the pause after a body that was broken off.
	Backoff upload.Backoff
	// FirstPoll is how long after the sending the verdict is first asked for.
	FirstPoll time.Duration
	// Progress is told how far an upload's body got.
	Progress func(u upload.Upload, sent int64)
	Logger   *slog.Logger
	Now      func() time.Time // our own clock
	// Journal is the clock that the times of an upload are of; nil: Now.
	Journal func() time.Time
}

// Stage takes packed uploads to the server. Its Run may be called concurrently.
type Stage struct{ o Options }

// New makes the stage.
func New(o Options) *Stage {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Journal == nil {
		o.Journal = o.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Stage{o: o}
}

// Run delivers one packed upload. See the package comment for its ends.
func (s *Stage) Run(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
	ch, ok := s.o.Channels[u.Channel]
	if !ok {
		return upload.Outcome{}, upload.LocalFaultOf(upload.LocalFault, "this channel is not switched on", nil)
	}
	if !u.Ticket.IsZero() && u.Ticket.Fate != upload.Broken {
		// A crash or a lost answer: the bytes may be there. Confirm asks.
		t := u.Ticket
		t.Fate = upload.Maybe
		return upload.Sent(t, upload.AnswerLost).After(s.o.FirstPoll), nil
	}
	outcome, err := s.deliver(ctx, u, ch)
	if c, ok := errors.AsType[*upload.Closed](err); ok {
		return upload.Hold(c.For, c.Reason, c.Detail), nil
	}
	return outcome, err
}

func (s *Stage) deliver(ctx context.Context, u upload.Upload, ch Channel) (upload.Outcome, error) {
	if err := ch.Gate.Ready(ctx); err != nil {
		return upload.Outcome{}, err
	}
	if err := s.outside(u); err != nil {
		return upload.Outcome{}, err
	}
	if !u.Ticket.IsZero() {
		arrived, err := ch.Protocol.Arrived(ctx, u.Ticket)
		ch.Gate.Heard(ctx, err)
		if err != nil {
			return upload.Outcome{}, fmt.Errorf("ask about the broken upload: %w", err)
		}
		if arrived {
			t := u.Ticket
			t.Fate = upload.Maybe
			return upload.Sent(t, upload.ServerWorking).After(s.o.FirstPoll), nil
		}
	}
	body, err := s.open(ctx, u, ch)
	if err != nil {
		if f, ok := errors.AsType[*upload.Fault](err); ok && f.Reason == upload.SpoolLost {
			return upload.Resettled(upload.SpoolLost), nil
		}
		return upload.Outcome{}, fmt.Errorf("open the packed copy: %w", err)
	}
	defer body.close()
	t, err := s.ask(ctx, Delivery{Upload: u, Coding: ch.Coding}, ch)
	if err != nil {
		return upload.Outcome{}, err
	}
	as := s.ready(ctx, u, body)
	if err := s.keep(ctx, as, t); err != nil {
		return upload.Outcome{}, err
	}
	return body.sent(u, s.sent(u, s.send(ctx, Delivery{Upload: as, Coding: ch.Coding}, t, ch, body))), nil
}

// send sends under a ticket that is durable.
func (s *Stage) send(ctx context.Context, d Delivery, t upload.Ticket, ch Channel, body *body) Sending {
	sending, err := ch.Protocol.Send(ctx, d, t, Body{ReadSeeker: s.paced(ctx, body.reader()), Size: d.Upload.PackedSize}, s.progress(d.Upload))
	if err != nil { // not one byte went out: the ticket is spent, and need not be asked about for long
		t.Fate = upload.Broken
		sending = Sending{Ticket: t, Cause: upload.AsFault(fmt.Errorf("send: %w", err))}
	}
	if sending.Cause != nil {
		ch.Gate.Heard(ctx, sending.Cause)
	} else {
		ch.Gate.Heard(ctx, nil)
	}
	return sending
}

// windowLook is how long an upload waits outside the window before it is looked
// at again: it may have become urgent.
const windowLook = 15 * time.Minute

// outside is *upload.Closed while u may not be sent. Its detail is when it may.
func (s *Stage) outside(u upload.Upload) error {
	if s.o.Window == nil {
		return nil
	}
	now := s.o.Now()
	opens := s.o.Window(u, now)
	if !opens.After(now) {
		return nil
	}
	return &upload.Closed{Reason: upload.OutsideUploadWindow, Detail: opens.Format(time.RFC3339), For: min(opens.Sub(now), windowLook)}
}

func (s *Stage) paced(ctx context.Context, body io.ReadSeeker) io.ReadSeeker {
	if s.o.Paced == nil {
		return body
	}
	return s.o.Paced(ctx, body)
}

// ask asks for a ticket. When it was issued goes by the journal's clock, as it is held
// against when the upload was sent.
func (s *Stage) ask(ctx context.Context, d Delivery, ch Channel) (upload.Ticket, error) {
	var t upload.Ticket
	err := ch.Gate.Admit(ctx, func(ctx context.Context) error {
		var err error
		t, err = ch.Protocol.Admit(ctx, d)
		t.IssuedAt = s.o.Journal().UTC()
		return err
	})
	if err != nil {
		return t, fmt.Errorf("ask for a ticket: %w", err)
	}
	return t, nil
}

// keep makes the ticket durable, with what is going to be sent under it.
func (s *Stage) keep(ctx context.Context, u upload.Upload, t upload.Ticket) error {
	err := s.o.Tickets.KeepTicket(ctx, u, t, s.o.Journal())
	if _, ok := errors.AsType[*upload.Fault](err); ok {
		return fmt.Errorf("keep the ticket: %w", err)
	}
	if err != nil {
		return upload.LocalFaultOf(upload.JournalUnavailable, "keep the ticket", err)
	}
	return nil
}

func (s *Stage) sent(u upload.Upload, x Sending) upload.Outcome {
	if x.Refused != nil {
		return s.refused(u, x)
	}
	var (
		reason = upload.UploadBroken
		detail string
		wish   time.Duration
	)
	if x.Cause != nil {
		reason, detail, wish = x.Cause.Reason, x.Cause.Detail, x.Cause.RetryAfter
	}
	switch x.Ticket.Fate {
	case upload.Answered:
		return upload.Sent(x.Ticket, "").After(s.o.FirstPoll)
	case upload.Broken:
		return s.brokenOff(u, x.Ticket, wish, reason, detail)
	default: // Maybe; a protocol that left it Untouched is read the same careful way
		s.o.Logger.Warn("upload went out but the answer did not come", "upload", u.ID, "reason", reason)
		x.Ticket.Fate = upload.Maybe
		return upload.Sent(x.Ticket, upload.AnswerLost).After(max(s.o.FirstPoll, wish))
	}
}

// refused is the end of an upload that the server does not take. A doubtful
// refusal is believed the second time: a server that has lost or not yet
// learned a token must not cost a good file its delivery.
func (s *Stage) refused(u upload.Upload, x Sending) upload.Outcome {
	if !x.Doubtful || u.Reason == upload.UploadRefused {
		return upload.Decided(upload.Rejected, upload.UploadRefused, x.Refused)
	}
	x.Ticket.Fate = upload.Broken
	return s.brokenOff(u, x.Ticket, 0, upload.UploadRefused, "the upload was refused; it is sent once more under a new ticket")
}

// brokenOff leaves the upload to be sent again. Once per reason that is a
// warning: it is no fault of a stage, so nobody else tells.
func (s *Stage) brokenOff(u upload.Upload, t upload.Ticket, wish time.Duration, r upload.Reason, detail string) upload.Outcome {
	level := slog.LevelWarn
	if u.Reason == r {
		level = slog.LevelDebug
	}
	s.o.Logger.Log(context.Background(), level, "upload did not go through, will send again",
		"upload", u.ID, "reason", r, "detail", detail, "attempt", u.Attempt+1)
	return upload.BrokenOff(t, s.o.Backoff.Delay(u.Attempt+1, wish), r, detail)
}

func (s *Stage) progress(u upload.Upload) Progress {
	if s.o.Progress == nil {
		return nil
	}
	return func(sent int64) { s.o.Progress(u, sent) }
}
