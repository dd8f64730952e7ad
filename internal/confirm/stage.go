package confirm

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// unknownsNeeded is how many answers in a row must say that the server does
// not know a delivery before it is taken for not arrived.
const unknownsNeeded = 3

// Results asks a channel's server what became of a delivery.
type Results interface {
	Result(ctx context.Context, t upload.Ticket) (upload.Answer, error)
}

// Earlier knows the tickets of earlier deliveries.
type Earlier interface {
	// EarlierTickets lists every ticket that was ever issued for this content
	// on this channel; the present one may be among them.
	EarlierTickets(ctx context.Context, ch upload.Channel, digest string) ([]upload.Ticket, error)
}

// Gate is told how calls to the server ended.
type Gate interface {
	Heard(ctx context.Context, err error)
}

// Channel is what the stage needs of one channel.
type Channel struct {
	Results Results
	Gate    Gate
}

// Options are the stage's surroundings. Now, Journal and Logger may be nil.
type Options struct {
	Channels map[upload.Channel]Channel
	Earlier  Earlier
	// PollMin is the first pause between two questions, PollMax the longest.
	PollMin, PollMax time.Duration
	// Deadline is how long after the sending a verdict is waited for.
	Deadline time.Duration
	// Grace is how long unknown answers after a lost upload answer must last
	// before the file is sent again: as seen by this process, by its steady clock.
	Grace time.Duration
	// ResendMax is the longest pause before such a sending again; 15 minutes by default.
	ResendMax time.Duration
	Logger    *slog.Logger
	Now       func() time.Time // our own clock, with a steady reading
	// Journal is the clock that the times of an upload are of; nil: Now.
	Journal func() time.Time
}

// Stage follows sent uploads to their verdict. Its Run may be called concurrently.
type Stage struct {
	o         Options
	witnessed witnessed
}

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
	if o.ResendMax == 0 {
		o.ResendMax = 15 * time.Minute
	}
	return &Stage{o: o, witnessed: witnessed{since: map[delivery]time.Time{}}}
}

// Run asks once about one sent upload. Faults of the network are the
// pipeline's to try again.
func (s *Stage) Run(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
	ch, ok := s.o.Channels[u.Channel]
	if !ok {
		return upload.Outcome{}, upload.LocalFaultOf(upload.LocalFault, "this channel is not switched on", nil)
	}
	a, err := s.ask(ctx, ch, u.Ticket)
	if err != nil {
		return upload.Outcome{}, fmt.Errorf("ask for the verdict: %w", err)
	}
	if a.Standing != upload.StandingUnknown {
		s.witnessed.forget(u.Ticket)
	}
	switch a.Standing {
	case upload.StandingDone:
		return s.decided(u, a), nil
	case upload.StandingDuplicate:
		return s.duplicate(ctx, ch, u, a)
	case upload.StandingUnknown:
		return s.unknown(u, a), nil
	default:
		return s.working(u, a), nil
	}
}

func (s *Stage) ask(ctx context.Context, ch Channel, t upload.Ticket) (upload.Answer, error) {
	a, err := ch.Results.Result(ctx, t)
	ch.Gate.Heard(ctx, err)
	return a, err
}

func (s *Stage) decided(u upload.Upload, a upload.Answer) upload.Outcome {
	if a.Receipt != nil && a.Receipt.Grades != nil {
		g := a.Receipt.Grades
		if a.Verdict == upload.Accepted && g.Total == 0 && u.Rows > 0 {
			// "Stored all of nothing" is no proof of delivery.
			return upload.Decided(upload.Rejected, upload.RejectedByServer, a.Receipt)
		}
		if g.Total != u.Rows {
			s.o.Logger.Warn("the server counts other records than were sent",
				"upload", u.ID, "sent", u.Rows, "counted", g.Total)
		}
	}
	return upload.Decided(a.Verdict, a.Reason, a.Receipt)
}

// duplicate looks for the earlier delivery by which the server has the content.
func (s *Stage) duplicate(ctx context.Context, ch Channel, u upload.Upload, a upload.Answer) (upload.Outcome, error) {
	earlier, err := s.o.Earlier.EarlierTickets(ctx, u.Channel, u.Digest)
	if err != nil {
		return upload.Outcome{}, upload.LocalFaultOf(upload.JournalUnavailable, "look up earlier tickets", err)
	}
	var best upload.Answer
	working := false
	for _, t := range earlier {
		if t.IsZero() || (t.Token == u.Ticket.Token && t.URL == u.Ticket.URL) {
			continue
		}
		past, err := s.ask(ctx, ch, t)
		if err != nil {
			return upload.Outcome{}, fmt.Errorf("ask about an earlier delivery: %w", err)
		}
		if past.Standing == upload.StandingDone && worth(past.Verdict) > worth(best.Verdict) {
			best = past
		}
		working = working || past.Standing == upload.StandingWorking
	}
	switch {
	case best.Standing == upload.StandingDone && (best.Verdict != upload.Rejected || !working):
		return s.decided(u, best), nil
	case working:
		return s.working(u, upload.Answer{Standing: upload.StandingWorking, Receipt: a.Receipt}), nil
	default:
		return upload.Decided(upload.Duplicate, upload.ServerHasIt, a.Receipt), nil
	}
}

// worth orders verdicts by how much of the content they say is at the server.
func worth(v upload.Verdict) int {
	switch v {
	case upload.Accepted:
		return 3
	case upload.PartiallyAccepted:
		return 2
	case upload.Rejected:
		return 1
	default:
		return 0
	}
}

// working: the server has it. From now on it counts as answered: should the
// server forget it later, it is not sent a second time.
func (s *Stage) working(u upload.Upload, a upload.Answer) upload.Outcome {
	if s.overdue(u) {
		return upload.Decided(upload.Unresolved, upload.DeadlinePassed, a.Receipt)
	}
	t := u.Ticket
	t.Fate, t.Unknowns, t.UnknownSince = upload.Answered, 0, time.Time{}
	r := a.Reason
	if r == "" {
		r = upload.ServerWorking
	}
	return upload.Polled(t, s.pause(u.Polls), r)
}

func (s *Stage) unknown(u upload.Upload, a upload.Answer) upload.Outcome {
	t := u.Ticket
	if t.Unknowns == 0 || t.UnknownSince.IsZero() {
		t.Unknowns, t.UnknownSince = 0, s.o.Journal().UTC()
	}
	t.Unknowns++
	if t.Fate == upload.Answered {
		if s.overdue(u) {
			return upload.Decided(upload.Unresolved, upload.DeadlinePassed, a.Receipt)
		}
		return upload.Polled(t, s.pause(u.Polls), upload.VerdictUnknown)
	}
	lasted := s.witnessed.lasted(u.Ticket, s.o.Now())
	if t.Unknowns >= unknownsNeeded && lasted >= s.o.Grace {
		s.witnessed.forget(u.Ticket)
		return upload.Unarrived(s.resendPause(u))
	}
	wait := s.pause(t.Unknowns - 1)
	if t.Unknowns >= unknownsNeeded-1 { // the next answer may be the last one needed
		wait = min(wait, max(s.o.Grace-lasted, s.o.PollMin))
	}
	return upload.Polled(t, wait, upload.VerdictUnknown)
}

// resendPause is none after the first sending, and grows with the time that all
// the sendings have taken: a server that loses every answer, and the delivery
// with it, is not sent the file once a minute for ever.
func (s *Stage) resendPause(u upload.Upload) time.Duration {
	if !u.Ticket.IssuedAt.After(u.SentAt) {
		return 0
	}
	return min(max(s.o.Journal().Sub(u.SentAt), 0)/4, s.o.ResendMax)
}

// overdue reports whether the deadline ends the waiting. u.Attempt counts the
// askings since the last answer that failed: after an outage the server gets
// one more asking.
func (s *Stage) overdue(u upload.Upload) bool {
	from := u.SentAt
	if u.Ticket.IssuedAt.After(from) {
		from = u.Ticket.IssuedAt // sent again under a new ticket: the server has had it only since
	}
	return u.Attempt == 0 && u.Polls > 0 && s.o.Journal().Sub(from) >= s.o.Deadline
}

// pause is PollMin·1.25ⁿ, at most PollMax: until the pauses are that long, a verdict
// is heard of at most a quarter later, counted from the sending, than it was there.
func (s *Stage) pause(n int) time.Duration {
	d := s.o.PollMin
	for ; n > 0 && d < s.o.PollMax; n-- {
		d += d / 4
	}
	return min(d, s.o.PollMax)
}
