package confirm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/confirm"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// bench is a stage with a server that answers from a script, and a clock that
// goes as the stage wishes.
type bench struct {
	stage   *confirm.Stage
	now     time.Time
	ahead   time.Duration            // the journal's clock, of now
	answers map[string]upload.Answer // by token
	err     error
	earlier []upload.Ticket
	heard   []error
	asked   []string
}

func (b *bench) Result(_ context.Context, t upload.Ticket) (upload.Answer, error) {
	b.asked = append(b.asked, t.Token)
	return b.answers[t.Token], b.err
}

func (b *bench) Heard(_ context.Context, err error) { b.heard = append(b.heard, err) }

func (b *bench) EarlierTickets(_ context.Context, ch upload.Channel, digest string) ([]upload.Ticket, error) {
	if ch != upload.HQMS || digest != "sha-256:d" {
		return nil, errors.New("asked for another content")
	}
	return b.earlier, nil
}

func newBench() *bench {
	b := &bench{now: start, answers: map[string]upload.Answer{}}
	b.stage = confirm.New(confirm.Options{
		Channels: map[upload.Channel]confirm.Channel{upload.HQMS: {Results: b, Gate: b}},
		Earlier:  b, PollMin: 2 * time.Second, PollMax: time.Minute, Deadline: 24 * time.Hour, Grace: time.Minute,
		Now: func() time.Time { return b.now }, Journal: func() time.Time { return b.now.Add(b.ahead) },
	})
	return b
}

func sentWith(fate upload.Fate) upload.Upload {
	return upload.Upload{
		ID: "u", Channel: upload.HQMS, State: upload.StateSent, Digest: "sha-256:d", ContentKey: "sha-256:d", Rows: 10,
		Ticket: upload.Ticket{Token: "t", Fate: fate, IssuedAt: start}, SentAt: start,
	}
}

// run runs the stage once and applies what comes out.
func (b *bench) run(t *testing.T, u upload.Upload) upload.Upload {
	t.Helper()
	o, err := b.stage.Run(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	after, err := o.Apply(u, b.now.Add(b.ahead))
	if err != nil {
		t.Fatal(err)
	}
	return after
}

func done(v upload.Verdict, stocked, total int64) upload.Answer {
	return upload.Answer{
		Standing: upload.StandingDone, Verdict: v,
		Receipt: &upload.Receipt{Status: "4", Grades: &upload.Grades{Stocked: stocked, Total: total, Technical: 7}},
	}
}

func TestVerdictIsTheServers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer upload.Answer
		want   upload.Verdict
	}{
		"all":                  {done(upload.Accepted, 10, 10), upload.Accepted},
		"some":                 {done(upload.PartiallyAccepted, 4, 10), upload.PartiallyAccepted},
		"none":                 {done(upload.Rejected, 0, 10), upload.Rejected},
		"all of another count": {done(upload.Accepted, 9, 9), upload.Accepted},
		"all of nothing":       {done(upload.Accepted, 0, 0), upload.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			b.answers["t"] = c.answer
			u := b.run(t, sentWith(upload.Answered))
			if u.State != upload.StateDecided || u.Verdict != c.want || cmp.Diff(c.answer.Receipt, u.Receipt) != "" {
				t.Errorf("%s %s %+v", u.State, u.Verdict, u.Receipt)
			}
		})
	}
}

func TestPausesGrowFromMinToMax(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.answers["t"] = upload.Answer{Standing: upload.StandingWorking}
	u := sentWith(upload.Answered)
	var got []time.Duration
	for range 18 {
		u = b.run(t, u)
		got = append(got, u.NextAttemptAt.Sub(b.now))
		b.now = u.NextAttemptAt
	}
	if diff := cmp.Diff([]time.Duration{2 * time.Second, 2500 * time.Millisecond, 3125 * time.Millisecond}, got[:3]); diff != "" {
		t.Error(diff)
	}
	waited := time.Duration(0)
	for i, pause := range got {
		if i > 0 && (pause > time.Minute || pause < time.Minute && pause < got[i-1] || pause > 2*time.Second+waited/4+1) {
			t.Errorf("pause %d is %v, after %v", i, pause, waited)
		}
		waited += pause
	}
	if got[15] >= time.Minute || got[16] != time.Minute || got[17] != time.Minute {
		t.Errorf("the pauses come to %v", got[15:])
	}
}

func TestLostUploadIsSentAgainAfterThreeUnknownAnswersOverTheGrace(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.answers["t"] = upload.Answer{Standing: upload.StandingUnknown}
	u := sentWith(upload.Maybe)
	polls := 0
	for u.State == upload.StateSent && polls < 50 {
		u = b.run(t, u)
		polls++
		if u.State == upload.StatePacked {
			break
		}
		if b.now = u.NextAttemptAt; b.now.Sub(start) > 2*time.Minute {
			t.Fatal("it waits on and on")
		}
	}
	if u.State != upload.StatePacked || !u.Ticket.IsZero() || polls < 3 {
		t.Fatalf("%s after %d answers", u.State, polls)
	}
	if lasted := b.now.Sub(start); lasted < time.Minute || lasted > 90*time.Second {
		t.Errorf("sent again after %s", lasted)
	}
	if u.NextAttemptAt.After(b.now) {
		t.Error("the first sending again need not wait")
	}
}

func TestQuickUnknownAnswersAreNotEnough(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.answers["t"] = upload.Answer{Standing: upload.StandingUnknown}
	u := sentWith(upload.Maybe)
	for range 20 { // an impatient operator
		u = b.run(t, u)
	}
	if u.State != upload.StateSent {
		t.Errorf("%s although no time went by", u.State)
	}
	b.now = start.Add(59 * time.Minute)
	u = sentWith(upload.Maybe)
	u = b.run(t, u)
	b.now = b.now.Add(time.Hour)
	if u = b.run(t, u); u.State != upload.StateSent {
		t.Errorf("%s after two answers", u.State)
	}
}

// TestTheGraceIsWhatThisProcessHasSeen: by the times in the journal three quick
// answers after a jump of the clock would be as good as a minute of them.
func TestTheGraceIsWhatThisProcessHasSeen(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.answers["t"] = upload.Answer{Standing: upload.StandingUnknown}
	u := sentWith(upload.Maybe)
	u.Ticket.Unknowns, u.Ticket.UnknownSince = 9, start.Add(-time.Hour)
	for range 5 {
		u = b.run(t, u)
		b.now = b.now.Add(10 * time.Second)
	}
	if u.State != upload.StateSent {
		t.Fatalf("%s after 40 s, the grace is a minute", u.State)
	}
	u.Ticket.UnknownSince = start.Add(time.Hour) // the clock went back
	b.now = start.Add(time.Minute)
	if u = b.run(t, u); u.State != upload.StatePacked {
		t.Errorf("%s after the grace", u.State)
	}
}

func TestOnceKnownIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench()
	unknown := upload.Answer{Standing: upload.StandingUnknown}
	b.answers["t"] = unknown
	u := b.run(t, b.run(t, sentWith(upload.Maybe)))
	b.answers["t"] = upload.Answer{Standing: upload.StandingWorking}
	u = b.run(t, u)
	if u.Ticket.Fate != upload.Answered || u.Ticket.Unknowns != 0 {
		t.Fatalf("ticket %+v", u.Ticket)
	}
	b.answers["t"] = unknown
	for range 10 {
		b.now = b.now.Add(time.Hour)
		u = b.run(t, u)
	}
	if u.State != upload.StateSent {
		t.Errorf("%s", u.State)
	}
}

func TestResendingSlowsDown(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.answers["t"] = upload.Answer{Standing: upload.StandingUnknown}
	for since, want := range map[time.Duration]time.Duration{7 * time.Minute: 2 * time.Minute, 24 * time.Hour: 15 * time.Minute} {
		b.now = start.Add(since)
		u := sentWith(upload.Maybe)
		u.Ticket.IssuedAt, u.Ticket.Unknowns, u.Ticket.UnknownSince = b.now.Add(-2*time.Minute), 2, b.now.Add(-time.Minute)
		u = b.run(t, u)
		b.now = b.now.Add(time.Minute)
		if u = b.run(t, u); u.State != upload.StatePacked || u.NextAttemptAt.Sub(b.now) != want {
			t.Errorf("after %s: %s in %s", since, u.State, u.NextAttemptAt.Sub(b.now))
		}
	}
}

// TestTimesOfAnUploadAreOfTheJournalsClock: where it is another machine's, our own is
// not to be held against them.
func TestTimesOfAnUploadAreOfTheJournalsClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		b := newBench()
		b.ahead = ahead
		b.answers["t"] = upload.Answer{Standing: upload.StandingUnknown}
		u := sentWith(upload.Answered)
		u.SentAt, u.Ticket.IssuedAt, u.Polls = start.Add(ahead), start.Add(ahead), 1
		if u = b.run(t, u); u.State != upload.StateSent || !u.Ticket.UnknownSince.Equal(u.SentAt) {
			t.Errorf("ahead by %s: %s at once, unknown since %s", ahead, u.State, u.Ticket.UnknownSince)
		}
		b.now = start.Add(24 * time.Hour)
		if late := b.run(t, u); late.State != upload.StateDecided {
			t.Errorf("ahead by %s: %s after the deadline", ahead, late.State)
		}
		u.Ticket.Fate, u.Ticket.IssuedAt, u.Ticket.Unknowns = upload.Maybe, u.SentAt.Add(time.Second), 2
		b.now = start.Add(8 * time.Minute)
		u = b.run(t, u)
		b.now = b.now.Add(time.Minute)
		if u = b.run(t, u); u.State != upload.StatePacked || u.NextAttemptAt.Sub(u.UpdatedAt) != 9*time.Minute/4 {
			t.Errorf("ahead by %s: %s in %s", ahead, u.State, u.NextAttemptAt.Sub(u.UpdatedAt))
		}
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		standing upload.Standing
		fate     upload.Fate
		age      time.Duration
		change   func(u *upload.Upload)
		want     upload.State
	}{
		"unknown, in time":              {upload.StandingUnknown, upload.Answered, 23 * time.Hour, nil, upload.StateSent},
		"unknown, late":                 {upload.StandingUnknown, upload.Answered, 24 * time.Hour, nil, upload.StateDecided},
		"working, in time":              {upload.StandingWorking, upload.Answered, 23 * time.Hour, nil, upload.StateSent},
		"working, late":                 {upload.StandingWorking, upload.Answered, 24 * time.Hour, nil, upload.StateDecided},
		"a lost answer has the grace":   {upload.StandingUnknown, upload.Maybe, 48 * time.Hour, nil, upload.StateSent},
		"first answer after an outage":  {upload.StandingWorking, upload.Answered, 48 * time.Hour, func(u *upload.Upload) { u.Attempt = 3 }, upload.StateSent},
		"first answer of all":           {upload.StandingWorking, upload.Answered, 48 * time.Hour, func(u *upload.Upload) { u.Polls = 0 }, upload.StateSent},
		"sent again under a new ticket": {upload.StandingWorking, upload.Answered, 48 * time.Hour, func(u *upload.Upload) { u.Ticket.IssuedAt = start.Add(47 * time.Hour) }, upload.StateSent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			b.answers["t"] = upload.Answer{Standing: c.standing}
			b.now = start.Add(c.age)
			u := sentWith(c.fate)
			u.Polls = 9
			if c.change != nil {
				c.change(&u)
			}
			u = b.run(t, u)
			if u.State != c.want || (u.State == upload.StateDecided && (u.Verdict != upload.Unresolved || u.Reason != upload.DeadlinePassed)) {
				t.Errorf("%s %s %s", u.State, u.Verdict, u.Reason)
			}
		})
	}
}

func TestOfflineIsAFaultHoweverLate(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.now, b.err = start.Add(1000*time.Hour), upload.PassingFault(upload.ServerUnreachable, "", nil)
	u := sentWith(upload.Answered)
	u.Polls = 9
	_, err := b.stage.Run(t.Context(), u)
	if f := upload.AsFault(err); f.Class != upload.Passing || f.Reason != upload.ServerUnreachable {
		t.Errorf("got %v", err)
	}
	if len(b.heard) != 1 || b.heard[0] == nil {
		t.Error("the gate did not hear of it")
	}
}

func TestDuplicate(t *testing.T) {
	t.Parallel()
	unknown, working := upload.Answer{Standing: upload.StandingUnknown}, upload.Answer{Standing: upload.StandingWorking}
	dup := upload.Answer{Standing: upload.StandingDuplicate, Receipt: &upload.Receipt{Status: "6"}}
	for name, c := range map[string]struct {
		earlier []upload.Answer
		state   upload.State
		verdict upload.Verdict
		status  string
	}{
		"no earlier ticket":            {nil, upload.StateDecided, upload.Duplicate, "6"},
		"an earlier one is done":       {[]upload.Answer{unknown, done(upload.Accepted, 10, 10)}, upload.StateDecided, upload.Accepted, "4"},
		"the best of several":          {[]upload.Answer{done(upload.Rejected, 0, 10), done(upload.PartiallyAccepted, 5, 10)}, upload.StateDecided, upload.PartiallyAccepted, "4"},
		"an earlier one is worked on":  {[]upload.Answer{working}, upload.StateSent, "", ""},
		"one rejected, one worked on":  {[]upload.Answer{done(upload.Rejected, 0, 10), working}, upload.StateSent, "", ""},
		"one accepted, one worked on":  {[]upload.Answer{done(upload.Accepted, 10, 10), working}, upload.StateDecided, upload.Accepted, "4"},
		"the earlier ones are unknown": {[]upload.Answer{unknown, dup}, upload.StateDecided, upload.Duplicate, "6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			b.answers["t"] = dup
			b.earlier = []upload.Ticket{{Token: "t"}, {}}
			for i, a := range c.earlier {
				token := string(rune('a' + i))
				b.answers[token] = a
				b.earlier = append(b.earlier, upload.Ticket{Token: token})
			}
			u := b.run(t, sentWith(upload.Answered))
			if u.State != c.state || u.Verdict != c.verdict || (c.status != "" && u.Receipt.Status != c.status) {
				t.Errorf("%s %q %+v", u.State, u.Verdict, u.Receipt)
			}
			if len(b.asked) != 1+len(c.earlier) {
				t.Errorf("asked about %v", b.asked)
			}
		})
	}
}

func TestUnknownChannelIsHeldNotLost(t *testing.T) {
	t.Parallel()
	u := sentWith(upload.Answered)
	u.Channel = "other"
	_, err := newBench().stage.Run(t.Context(), u)
	if f := upload.AsFault(err); f.Class != upload.Local {
		t.Errorf("got %v", err)
	}
}
