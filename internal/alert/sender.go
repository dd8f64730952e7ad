package alert

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

const (
	// lease is how long a message may take; it is longer than patience.
	lease = time.Minute
	// apart is the least time between two messages of all processes: robots take
	// twenty a minute.
	apart = 4 * time.Second
	// look is how often the journal is looked at when nobody tells of a change.
	look = 5 * time.Second
)

// Outbox is where messages are due; *journal.Journal is one.
type Outbox interface {
	ChangeAlerts(ctx context.Context, change func(ctx context.Context, t journal.AlertTx) error) error
	ClaimAlert(ctx context.Context, now time.Time, lease, apart time.Duration) (journal.Alert, bool, error)
}

// Post is whom messages are sent to; *Receiver is one.
type Post interface {
	Send(ctx context.Context, m Message) error
}

// SenderOptions configure a Sender. Outbox, Post and Now are required.
type SenderOptions struct {
	Outbox Outbox
	Post   Post
	Policy Policy
	Lang   phrase.Lang
	Public *url.URL // of the dashboard; nil: not known
	Now    func() time.Time
	Logger *slog.Logger
	// Sent is called with the result of each attempt: delivered, failed.
	Sent func(result string)
}

// Sender sends the messages that are due, one at a time. Run it once.
type Sender struct {
	SenderOptions
	wake chan struct{}
}

// NewSender makes a sender.
func NewSender(o SenderOptions) *Sender {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Sent == nil {
		o.Sent = func(string) {}
	}
	return &Sender{SenderOptions: o, wake: make(chan struct{}, 1)}
}

// Wake has the sender look now; it never blocks.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	for ctx.Err() == nil {
		sent, err := s.SendNext(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.Warn("alert could not be taken from or noted in the journal, will try again", slog.Any("error", err))
		}
		if sent && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-time.After(look):
		}
	}
}

// SendNext sends the message that is the longest due; sent is false where none is,
// or the one before is too young. A message that did not arrive is no error.
func (s *Sender) SendNext(ctx context.Context) (sent bool, err error) {
	a, found, err := s.Outbox.ClaimAlert(ctx, s.Now(), lease, apart)
	if err != nil || !found {
		return false, err
	}
	m := Message{Notice: notice(a), Alert: a, Lang: s.Lang, Link: linkTo(s.Public), At: s.Now()}
	failure := s.Post.Send(ctx, m)
	if failure != nil && ctx.Err() != nil {
		return false, ctx.Err() // the lease runs out, and somebody sends it again
	}
	// What came of it is noted also when we are told to stop meanwhile.
	return true, s.note(context.WithoutCancel(ctx), m, failure)
}

func (s *Sender) note(ctx context.Context, m Message, failure error) error {
	now, sent := s.Now(), m.Alert
	d := journal.AlertDelivery{AlertID: sent.ID, At: now, Notice: string(m.Notice), OK: failure == nil, Attempt: sent.Attempt + 1}
	wish := time.Duration(0)
	if failure != nil {
		d.Detail = failure.Error()
		if f, ok := errors.AsType[*Failure](failure); ok {
			wish = f.Wish
		}
		s.Sent("failed")
		s.Logger.Warn("alert was not delivered, will try again", slog.String("alert", sent.Key), slog.Int("attempt", d.Attempt), slog.String("cause", d.Detail))
	} else {
		s.Sent("delivered")
		s.Logger.Info("alert delivered", slog.String("alert", sent.Key), slog.String("notice", d.Notice))
	}
	return s.Outbox.ChangeAlerts(ctx, func(ctx context.Context, t journal.AlertTx) error {
		a, err := t.Get(ctx, sent.ID)
		if err != nil || a.Fence != sent.Fence { // somebody else has it by now
			return err
		}
		if failure == nil {
			a = s.Policy.delivered(a, sent, now)
		} else {
			a = s.Policy.undelivered(a, d.Detail, wish, now)
		}
		if err := t.Save(ctx, a); err != nil {
			return err
		}
		return t.Note(ctx, d)
	})
}

// TestMessage is what a test sends.
func (s *Sender) TestMessage() Message { return testMessage(s.Lang, linkTo(s.Public), s.Now()) }
