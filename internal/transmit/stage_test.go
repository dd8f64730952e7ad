package transmit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// bench is a stage whose surroundings write down the order of things.
type bench struct {
	did []string
	log bytes.Buffer // info and above

	ready, admitErr, keepErr, spoolErr, sendErr, arrivedErr error
	arrived                                                 bool
	sending                                                 transmit.Sending
	opens                                                   time.Time // of the upload window
	paced                                                   bool      // the body is read through a pace
	remade                                                  *remade   // nil: what waits is sent
	kept                                                    upload.Upload
	ticket                                                  upload.Ticket // as it was kept
	keptAt                                                  time.Time
	ahead                                                   time.Duration // the journal's clock, of ours
}

// remade is a copy of 3 bytes that is made while it is sent.
type remade struct {
	*bench
	digest string
	err    error
}

func (r *remade) Ready(context.Context) error { r.note("ready"); return r.err }

func (r *remade) Size() int64    { return 3 }
func (r *remade) Digest() string { return r.digest }

func (b *bench) note(s string) { b.did = append(b.did, s) }

func (b *bench) Ready(context.Context) error { return b.ready }

func (b *bench) Admit(ctx context.Context, ask func(context.Context) error) error { return ask(ctx) }

func (b *bench) Heard(_ context.Context, err error) { b.note(fmt.Sprintf("heard %v", err)) }

func (b *bench) Open(context.Context, upload.Upload) (io.ReadSeekCloser, int64, error) {
	b.note("open")
	return b, 5, b.spoolErr
}
func (b *bench) Read([]byte) (int, error)       { return 0, io.EOF }
func (b *bench) Seek(int64, int) (int64, error) { return 0, nil }
func (b *bench) Close() error                   { b.note("close"); return nil }

func (b *bench) KeepTicket(_ context.Context, u upload.Upload, t upload.Ticket, now time.Time) error {
	b.kept, b.ticket, b.keptAt = u, t, now
	b.note("keep " + t.Token)
	return b.keepErr
}

// wire is the protocol's face of the bench.
type wire struct{ *bench }

func (w wire) Admit(context.Context, transmit.Delivery) (upload.Ticket, error) {
	w.note("admit")
	return upload.Ticket{Token: "new", Fate: upload.Untouched, IssuedAt: start}, w.admitErr
}

func (w wire) Send(_ context.Context, d transmit.Delivery, t upload.Ticket, b transmit.Body, _ transmit.Progress) (transmit.Sending, error) {
	w.note(fmt.Sprintf("send %s %d %s", t.Token, b.Size, d.Coding.Diagnosis))
	x := w.sending
	x.Ticket.Token = t.Token
	return x, w.sendErr
}

func (w wire) Arrived(_ context.Context, t upload.Ticket) (bool, error) {
	w.note("arrived? " + t.Token)
	return w.arrived, w.arrivedErr
}

func (w wire) Result(context.Context, upload.Ticket) (upload.Answer, error) {
	panic("transmit does not ask for results")
}

func (b *bench) run(t *testing.T, u upload.Upload) (upload.Upload, error) {
	t.Helper()
	s := transmit.New(transmit.Options{
		Channels: map[upload.Channel]transmit.Channel{
			upload.HQMS: {Protocol: wire{b}, Gate: b, Coding: transmit.Coding{Diagnosis: transmit.National}, WhileSending: b.remade != nil},
		},
		Spool: b, Tickets: b, Backoff: upload.Backoff{Min: time.Second, Max: time.Minute}, FirstPoll: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
		Now:    func() time.Time { return start }, Journal: func() time.Time { return start.Add(b.ahead) },
		Window: func(upload.Upload, time.Time) time.Time { return b.opens },
		Paced:  b.slow(),
		Recompress: func(context.Context, upload.Upload) transmit.Recompressed {
			if b.remade == nil {
				panic("asked though the protocol has to know the digest")
			}
			if b.remade.bench == nil {
				return nil
			}
			return b.remade
		},
	})
	o, err := s.Run(t.Context(), u)
	if err != nil {
		return u, err
	}
	after, err := o.Apply(u, start)
	if err != nil {
		t.Fatal(err)
	}
	return after, nil
}

func (b *bench) slow() func(context.Context, io.ReadSeeker) io.ReadSeeker {
	if !b.paced {
		return nil
	}
	return func(_ context.Context, body io.ReadSeeker) io.ReadSeeker {
		b.note("paced")
		return body
	}
}

func packed(t upload.Ticket) upload.Upload {
	return upload.Upload{
		ID: "u", Channel: upload.HQMS, State: upload.StatePacked, Digest: "sha-256:d", ContentKey: "sha-256:d", Ticket: t,
	}
}

func answered() transmit.Sending {
	return transmit.Sending{Ticket: upload.Ticket{Fate: upload.Answered}}
}

func TestTicketIsDurableBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	b := &bench{sending: answered()}
	u, err := b.run(t, packed(upload.Ticket{}))
	if err != nil || u.State != upload.StateSent || u.Ticket.Fate != upload.Answered || u.Reason != "" {
		t.Fatalf("%+v, %v", u, err)
	}
	want := []string{"open", "admit", "keep new", "send new 5 national", "heard <nil>", "close"}
	if diff := cmp.Diff(want, b.did); diff != "" {
		t.Error(diff)
	}
	if u.NextAttemptAt.Sub(start) != 2*time.Second {
		t.Errorf("first asked after %s", u.NextAttemptAt.Sub(start))
	}
}

func TestATicketsTimesAreOfTheJournalsClock(t *testing.T) {
	t.Parallel()
	b := &bench{sending: answered(), ahead: -time.Hour}
	if _, err := b.run(t, packed(upload.Ticket{})); err != nil {
		t.Fatal(err)
	}
	if want := start.Add(b.ahead); !b.ticket.IssuedAt.Equal(want) || !b.keptAt.Equal(want) {
		t.Errorf("issued at %s, kept at %s, want both at %s", b.ticket.IssuedAt, b.keptAt, want)
	}
}

func TestNothingIsSentWithoutADurableTicket(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk on fire")
	b := &bench{keepErr: cause, sending: answered()}
	_, err := b.run(t, packed(upload.Ticket{}))
	if f := upload.AsFault(err); f.Class != upload.Local || f.Reason != upload.JournalUnavailable || !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if slices.Contains(b.did, "send new 5 national") {
		t.Error("the body went out")
	}
}

func TestBytesThatMayHaveArrivedAreAskedAboutNotSent(t *testing.T) {
	t.Parallel()
	for _, fate := range []upload.Fate{upload.Untouched, upload.Maybe, upload.Answered} {
		b := &bench{}
		u, err := b.run(t, packed(upload.Ticket{Token: "old", Fate: fate}))
		if err != nil || u.State != upload.StateSent || u.Ticket.Token != "old" || u.Ticket.Fate != upload.Maybe || u.Reason != upload.AnswerLost {
			t.Errorf("%s: %+v, %v", fate, u, err)
		}
		if len(b.did) != 0 {
			t.Errorf("%s: did %v", fate, b.did)
		}
		if u.NextAttemptAt.Sub(start) != 2*time.Second {
			t.Errorf("%s: first asked after %s", fate, u.NextAttemptAt.Sub(start))
		}
	}
}

func TestBrokenUploadIsAskedAboutFirst(t *testing.T) {
	t.Parallel()
	old := upload.Ticket{Token: "old", Fate: upload.Broken}
	t.Run("it is there after all", func(t *testing.T) {
		t.Parallel()
		b := &bench{arrived: true}
		u, err := b.run(t, packed(old))
		if err != nil || u.State != upload.StateSent || u.Ticket.Token != "old" || u.Ticket.Fate != upload.Maybe {
			t.Errorf("%+v, %v", u, err)
		}
		if diff := cmp.Diff([]string{"arrived? old", "heard <nil>"}, b.did); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("it is not there", func(t *testing.T) {
		t.Parallel()
		b := &bench{sending: answered()}
		u, err := b.run(t, packed(old))
		if err != nil || u.State != upload.StateSent || u.Ticket.Token != "new" {
			t.Errorf("%+v, %v", u, err)
		}
	})
	t.Run("the server cannot say", func(t *testing.T) {
		t.Parallel()
		b := &bench{arrivedErr: upload.PassingFault(upload.ServerError, "", nil)}
		_, err := b.run(t, packed(old))
		if upload.AsFault(err).Reason != upload.ServerError || slices.Contains(b.did, "admit") {
			t.Errorf("%v after %v", err, b.did)
		}
	})
}

func TestEndsOfASending(t *testing.T) {
	t.Parallel()
	busy := upload.PassingFault(upload.ServerBusy, "upload: HTTP status 429", nil)
	busy.RetryAfter = time.Hour
	for name, c := range map[string]struct {
		fate   upload.Fate
		cause  *upload.Fault
		state  upload.State
		reason upload.Reason
		wait   time.Duration // at least
	}{
		"answer lost":                      {upload.Maybe, upload.PassingFault(upload.AnswerLost, "", nil), upload.StateSent, upload.AnswerLost, 2 * time.Second},
		"5xx when it was whole":            {upload.Maybe, upload.PassingFault(upload.ServerError, "", nil), upload.StateSent, upload.AnswerLost, 2 * time.Second},
		"a fate left untouched":            {upload.Untouched, nil, upload.StateSent, upload.AnswerLost, 2 * time.Second},
		"broken off":                       {upload.Broken, upload.PassingFault(upload.UploadBroken, "x", nil), upload.StatePacked, upload.UploadBroken, time.Second / 2},
		"broken, the server asks for time": {upload.Broken, busy, upload.StatePacked, upload.ServerBusy, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &bench{sending: transmit.Sending{Ticket: upload.Ticket{Fate: c.fate}, Cause: c.cause}}
			u, err := b.run(t, packed(upload.Ticket{}))
			if err != nil || u.State != c.state || u.Reason != c.reason || u.NextAttemptAt.Sub(start) < c.wait {
				t.Errorf("%s %s in %s, %v", u.State, u.Reason, u.NextAttemptAt.Sub(start), err)
			}
			if u.Ticket.Token != "new" || (c.state == upload.StatePacked) != (u.Ticket.Fate == upload.Broken) {
				t.Errorf("ticket %+v", u.Ticket)
			}
			if want := map[upload.State]int{upload.StatePacked: 1}[u.State]; u.Attempt != want {
				t.Errorf("attempt %d", u.Attempt)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		b := &bench{sending: transmit.Sending{Refused: &upload.Receipt{Message: "no"}, Ticket: upload.Ticket{Fate: upload.Answered}}}
		u, err := b.run(t, packed(upload.Ticket{}))
		if err != nil || u.Verdict != upload.Rejected || u.Reason != upload.UploadRefused || u.Receipt.Message != "no" || u.ContentKey != "" {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

func TestADoubtfulRefusalIsBelievedTheSecondTime(t *testing.T) {
	t.Parallel()
	b := &bench{sending: transmit.Sending{Refused: &upload.Receipt{Message: "no"}, Doubtful: true, Ticket: upload.Ticket{Fate: upload.Answered}}}
	u, err := b.run(t, packed(upload.Ticket{}))
	if err != nil || u.State != upload.StatePacked || u.Reason != upload.UploadRefused || u.Ticket.Fate != upload.Broken || u.Attempt != 1 {
		t.Fatalf("the first time: %+v, %v", u, err)
	}
	u, err = b.run(t, u)
	if err != nil || u.Verdict != upload.Rejected || u.Reason != upload.UploadRefused || u.Receipt.Message != "no" {
		t.Errorf("the second time: %+v, %v", u, err)
	}
	if !slices.Contains(b.did, "arrived? new") {
		t.Errorf("sent again without asking: %v", b.did)
	}
}

func TestABrokenSendingIsToldOncePerReason(t *testing.T) {
	t.Parallel()
	b := &bench{sending: transmit.Sending{Ticket: upload.Ticket{Fate: upload.Broken}, Cause: upload.PassingFault(upload.ServerMisconfigured, "upload: HTTP status 404", nil)}}
	u, err := b.run(t, packed(upload.Ticket{}))
	if err != nil || !strings.Contains(b.log.String(), "level=WARN msg=\"upload did not go through, will send again\"") || !strings.Contains(b.log.String(), "404") {
		t.Errorf("the first time: %s, %v", &b.log, err)
	}
	b.log.Reset()
	if _, err = b.run(t, u); err != nil || b.log.Len() != 0 {
		t.Errorf("the second time: %s, %v", &b.log, err)
	}
}

func TestClosedChannelHoldsWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	closed := &upload.Closed{Reason: upload.ChannelPaused, For: time.Hour}
	for name, b := range map[string]*bench{
		"before anything":  {ready: closed},
		"at the admission": {admitErr: fmt.Errorf("wrapped: %w", closed)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := b.run(t, packed(upload.Ticket{}))
			if err != nil || u.State != upload.StatePacked || u.Reason != upload.ChannelPaused || u.Attempt != 0 || u.NextAttemptAt.Sub(start) != time.Hour {
				t.Errorf("%+v, %v", u, err)
			}
			if n := len(b.did); b.ready != nil && n != 0 {
				t.Errorf("did %v", b.did)
			}
		})
	}
}

func TestLostCopyIsPackedAgain(t *testing.T) {
	t.Parallel()
	b := &bench{spoolErr: fmt.Errorf("open: %w", upload.LocalFaultOf(upload.SpoolLost, "", nil))}
	u, err := b.run(t, packed(upload.Ticket{}))
	if err != nil || u.State != upload.StateSettled || u.Reason != upload.SpoolLost {
		t.Errorf("%+v, %v", u, err)
	}
	b = &bench{spoolErr: upload.LocalFaultOf(upload.PermissionDenied, "", nil)}
	if _, err = b.run(t, packed(upload.Ticket{})); upload.AsFault(err).Reason != upload.PermissionDenied {
		t.Errorf("got %v", err)
	}
}

func TestOutsideTheWindowNothingIsAskedForOrSent(t *testing.T) {
	t.Parallel()
	b := &bench{opens: start.Add(3 * time.Hour)}
	u := packed(upload.Ticket{})
	got, err := b.run(t, u)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != upload.StatePacked || got.Reason != upload.OutsideUploadWindow || got.Attempt != u.Attempt ||
		!got.NextAttemptAt.Equal(start.Add(15*time.Minute)) || got.Detail != "2026-11-23T13:00:00Z" {
		t.Errorf("got %s, %s, attempt %d, next %s, %q", got.State, got.Reason, got.Attempt, got.NextAttemptAt, got.Detail)
	}
	if len(b.did) != 0 {
		t.Errorf("did %v", b.did)
	}
}

func TestOutsideTheWindowWhatMayHaveArrivedIsStillAskedAbout(t *testing.T) {
	t.Parallel()
	b := &bench{opens: start.Add(3 * time.Hour)}
	got, err := b.run(t, packed(upload.Ticket{Token: "t", Fate: upload.Maybe}))
	if err != nil || got.State != upload.StateSent {
		t.Errorf("got %s, %v", got.State, err)
	}
}

func TestTheBodyIsReadThroughThePace(t *testing.T) {
	t.Parallel()
	b := &bench{sending: answered(), paced: true}
	if _, err := b.run(t, packed(upload.Ticket{})); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(b.did, "paced") {
		t.Errorf("did %v", b.did)
	}
}

func waits() upload.Upload {
	u := packed(upload.Ticket{})
	u.PackedSize, u.PackedDigest = 5, "sha-256:waiting"
	return u
}

func TestWhatIsMadeWhileItIsSentIsWhatTheJournalHas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fate   upload.Fate
		digest string // when the sending has ended
		size   int64
		want   string
	}{
		"sent":                        {upload.Answered, "sha-256:made", 3, "sha-256:made"},
		"sent, the answer was lost":   {upload.Maybe, "sha-256:made", 3, "sha-256:made"},
		"broken off":                  {upload.Broken, "", 5, "sha-256:waiting"},
		"whole, and to be sent again": {upload.Broken, "sha-256:made", 5, "sha-256:waiting"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &bench{sending: transmit.Sending{Ticket: upload.Ticket{Fate: c.fate}}}
			b.remade = &remade{bench: b, digest: c.digest}
			u, err := b.run(t, waits())
			if err != nil || u.PackedSize != c.size || u.PackedDigest != c.want {
				t.Errorf("%d bytes, %s, %v", u.PackedSize, u.PackedDigest, err)
			}
			if b.kept.PackedSize != 3 || b.kept.PackedDigest != "" {
				t.Errorf("with the ticket: %d bytes, %q", b.kept.PackedSize, b.kept.PackedDigest)
			}
			if diff := cmp.Diff([]string{"open", "admit", "ready", "keep new", "send new 3 national"}, b.did[:5]); diff != "" || b.did[len(b.did)-1] != "close" {
				t.Error(b.did)
			}
		})
	}
}

func TestWhatCannotBeMadeSmallerIsSentAsItIs(t *testing.T) {
	t.Parallel()
	b := &bench{sending: answered(), remade: &remade{}}
	u, err := b.run(t, waits())
	if err != nil || u.PackedDigest != "sha-256:waiting" || !slices.Contains(b.did, "send new 5 national") {
		t.Errorf("%+v, %v, %v", u, err, b.did)
	}
	b = &bench{sending: answered()}
	b.remade = &remade{bench: b, err: errors.New("no gain")}
	u, err = b.run(t, waits())
	want := []string{"open", "admit", "ready", "close", "keep new", "send new 5 national", "heard <nil>", "close"}
	if diff := cmp.Diff(want, b.did); err != nil || u.PackedDigest != "sha-256:waiting" || diff != "" {
		t.Errorf("%+v, %v, %s", u, err, diff)
	}
}
