package transmittest

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Subject is one protocol under test. Setup makes a new one for each subtest.
type Subject struct {
	// Works is a server of the protocol that works, StepOf tells its requests apart.
	Works  http.Handler
	StepOf func(*http.Request) Step
	// Client makes a client with this patience, once it is connected.
	Client func(t *testing.T, url string, roots *x509.CertPool, p Patience) transmit.Protocol
	// Received lists the bodies that arrived whole, in order.
	Received func() [][]byte
	// Decide makes the server done with the delivery of this ticket, with all
	// of it stored.
	Decide func(t upload.Ticket)
	// Refuse makes the server refuse the credentials from now on, with words of
	// its own that are among Secrets.
	Refuse func()
	// Secrets must not be in any error or log line; tickets are added by the suite.
	Secrets []string
}

// Setup makes a subject.
type Setup func(t *testing.T) *Subject

// Patience is when a client's watchdog bites.
type Patience struct {
	Stall  time.Duration // no more of the body is taken
	Answer time.Duration // the body is out and the answer is not in
}

// brief is for servers that come to nothing on purpose, plenty for all others.
func brief() Patience  { return Patience{300 * time.Millisecond, 300 * time.Millisecond} }
func plenty() Patience { return Patience{30 * time.Second, 30 * time.Second} }

const (
	small = 20_000
	large = 24 << 20 // more than the buffers between client and server hold
)

// bench is a subject with its server and client.
type bench struct {
	*Subject
	server *Server
	client transmit.Protocol
}

func newBench(t *testing.T, setup Setup, withTLS bool) *bench {
	t.Helper()
	return newBenchWith(t, setup, withTLS, plenty())
}

func newBenchWith(t *testing.T, setup Setup, withTLS bool, patience Patience) *bench {
	t.Helper()
	s := setup(t)
	server := Serve(t, s.Works, s.StepOf, withTLS)
	s.Secrets = append(s.Secrets, Words)
	return &bench{Subject: s, server: server, client: s.Client(t, server.URL, server.Roots, patience)}
}

func delivery() transmit.Delivery {
	return transmit.Delivery{
		Upload: upload.Upload{
			ID: "0190a0a0-0000-7000-8000-000000000001", Channel: upload.HQMS, Kind: "hqms", Filename: "hqms_x.csv", Rows: 10,
		},
		Coding: transmit.Coding{Diagnosis: transmit.National, Morphology: transmit.National, Procedure: transmit.Beijing},
	}
}

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func body(b []byte) transmit.Body {
	return transmit.Body{ReadSeeker: bytes.NewReader(b), Size: int64(len(b))}
}

func (b *bench) admit(t *testing.T) upload.Ticket {
	t.Helper()
	ticket, err := b.client.Admit(t.Context(), delivery())
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
	for _, s := range []string{ticket.Token, ticket.URL} {
		if s != "" {
			b.Secrets = append(b.Secrets, s)
		}
	}
	return ticket
}

// clean fails the test if err, in any of the ways it may be printed, holds a secret.
func (b *bench) clean(t *testing.T, err error) {
	t.Helper()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "error", err)
	slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "error", err)
	text := fmt.Sprintf("%v %+v %s", err, err, log.String())
	if f, ok := errors.AsType[*upload.Fault](err); ok {
		text += f.Detail
	}
	for _, secret := range b.Secrets {
		if strings.Contains(text, secret) {
			t.Errorf("an error holds the secret %q", secret)
		}
	}
}

// Run runs the suite.
func Run(t *testing.T, setup Setup) {
	t.Run("delivers", func(t *testing.T) { t.Parallel(); delivers(t, newBench(t, setup, false)) })
	t.Run("delivers over TLS with a private authority", func(t *testing.T) {
		t.Parallel()
		delivers(t, newBench(t, setup, true))
	})
	t.Run("refused credentials", func(t *testing.T) { t.Parallel(); refuses(t, newBench(t, setup, false)) })
	t.Run("an unknown ticket is unknown", func(t *testing.T) { t.Parallel(); unknown(t, newBench(t, setup, false)) })
	t.Run("a slow upload that makes progress is not cut off", func(t *testing.T) {
		t.Parallel()
		slow(t, newBenchWith(t, setup, false, Patience{Stall: 5 * time.Second, Answer: plenty().Answer}))
	})
	t.Run("a stopped upload says how far it got", func(t *testing.T) {
		t.Parallel()
		stopped(t, newBench(t, setup, false))
	})
	t.Run("a copy that cannot be read is broken off", func(t *testing.T) {
		t.Parallel()
		unreadable(t, newBench(t, setup, false))
	})
	t.Run("a server away", func(t *testing.T) { t.Parallel(); away(t, newBench(t, setup, false)) })
	t.Run("an untrusted certificate", func(t *testing.T) { t.Parallel(); untrusted(t, newBench(t, setup, true)) })
	t.Run("redirects lead nowhere", func(t *testing.T) { t.Parallel(); redirected(t, setup) })
	t.Run("faults", func(t *testing.T) { t.Parallel(); faults(t, setup) })
}

func delivers(t *testing.T, b *bench) {
	want := content(large)
	ticket := b.admit(t)
	if ticket.IsZero() || ticket.Fate != upload.Untouched || ticket.IssuedAt.IsZero() {
		t.Fatalf("ticket is not a fresh one: fate %q", ticket.Fate)
	}
	var last int64
	x, err := b.client.Send(t.Context(), delivery(), ticket, body(want), func(sent int64) {
		if sent < last {
			t.Errorf("progress went back from %d to %d", last, sent)
		}
		last = sent
	})
	if err != nil || x.Cause != nil || x.Refused != nil || x.Ticket.Fate != upload.Answered {
		t.Fatalf("send: %+v, %v", x, err)
	}
	if last != large {
		t.Errorf("progress ended at %d of %d", last, large)
	}
	if got := b.Received(); len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Fatalf("the server did not receive exactly the body (%d received)", len(got))
	}
	if ok, err := b.client.Arrived(t.Context(), x.Ticket); !ok || err != nil {
		t.Errorf("arrived: %v, %v", ok, err)
	}
	b.Decide(x.Ticket)
	a, err := b.client.Result(t.Context(), x.Ticket)
	if err != nil || a.Standing != upload.StandingDone || a.Verdict != upload.Accepted || a.Receipt == nil {
		t.Errorf("result: %+v, %v", a, err)
	}
}

func refuses(t *testing.T, b *bench) {
	b.Refuse()
	_, err := b.client.Admit(t.Context(), delivery())
	f, ok := errors.AsType[*upload.Fault](err)
	if !ok || f.Class != upload.Refused || f.Reason != upload.CredentialsRefused {
		t.Fatalf("want refused credentials, got %v", err)
	}
	if said, ok := errors.AsType[*upload.Refusal](err); !ok || said.Message == "" {
		t.Error("the server's words did not come along")
	}
	b.clean(t, err)
}

func unknown(t *testing.T, b *bench) {
	ticket := b.admit(t)
	a, err := b.client.Result(t.Context(), ticket)
	if err != nil || a.Standing != upload.StandingUnknown {
		t.Errorf("result of nothing sent: %+v, %v", a, err)
	}
	if ok, err := b.client.Arrived(t.Context(), ticket); ok || err != nil {
		t.Errorf("nothing was sent, yet arrived: %v, %v", ok, err)
	}
}

func slow(t *testing.T, b *bench) {
	ticket := b.admit(t)
	b.server.Break(Upload, Slow(large/24, 300*time.Millisecond)) // longer in all than the watchdog bears, by far shorter each
	x, err := b.client.Send(t.Context(), delivery(), ticket, body(content(large)), nil)
	if err != nil || x.Ticket.Fate != upload.Answered {
		t.Errorf("%+v, %v", x, err)
	}
}

func stopped(t *testing.T, b *bench) {
	ticket := b.admit(t)
	b.server.Break(Upload, Deaf(1000))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	x, err := b.client.Send(ctx, delivery(), ticket, body(content(large)), func(sent int64) {
		if sent > 0 {
			cancel()
		}
	})
	if err != nil || x.Ticket.Fate != upload.Broken || x.Cause == nil {
		t.Fatalf("stopped in the middle: %+v, %v", x, err)
	}
	if _, err := b.client.Result(ctx, ticket); !errors.Is(err, context.Canceled) {
		t.Errorf("a question after the end: %v", err)
	}
	b.clean(t, x.Cause)
}

// torn reads well for a while.
type torn struct {
	*bytes.Reader
	left int
}

func (r *torn) Read(p []byte) (int, error) {
	if r.left -= len(p); r.left < 0 {
		return 0, errors.New("input/output error")
	}
	return r.Reader.Read(p)
}

func unreadable(t *testing.T, b *bench) {
	ticket := b.admit(t)
	copied := transmit.Body{ReadSeeker: &torn{bytes.NewReader(content(large)), large / 2}, Size: large}
	x, err := b.client.Send(t.Context(), delivery(), ticket, copied, nil)
	if err != nil || x.Ticket.Fate != upload.Broken || x.Cause == nil || x.Cause.Class != upload.Local {
		t.Fatalf("want broken by a local fault: %+v, %v", x, err)
	}
	if n := len(b.Received()); n != 0 {
		t.Errorf("the server took a torn body for a whole one")
	}
}

func away(t *testing.T, b *bench) {
	ticket := b.admit(t)
	b.server.Away()
	b.expect(t, Admission, ticket, small, expectation{reason: upload.ServerUnreachable})
	b.expect(t, Upload, ticket, small, expectation{reason: upload.ServerUnreachable, fate: upload.Broken})
	b.expect(t, Question, ticket, small, expectation{reason: upload.ServerUnreachable})
}

func untrusted(t *testing.T, b *bench) {
	ticket := b.admit(t)
	b.client = b.Client(t, b.server.URL, x509.NewCertPool(), plenty())
	before := b.server.Count(Upload)
	b.expect(t, Admission, ticket, small, expectation{reason: upload.ServerTLS})
	b.expect(t, Upload, ticket, small, expectation{reason: upload.ServerTLS, fate: upload.Broken})
	b.expect(t, Question, ticket, small, expectation{reason: upload.ServerTLS})
	if b.server.Count(Upload) != before {
		t.Error("a request went out over a connection that is not trusted")
	}
}

func redirected(t *testing.T, setup Setup) {
	for _, step := range Steps() {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, setup, false)
			ticket := b.admit(t)
			other := Serve(t, http.NotFoundHandler(), b.StepOf, false)
			for _, code := range []int{301, 302, 303, 307, 308} {
				b.server.Break(step, Redirect(code, other.URL+"/elsewhere"))
				b.expect(t, step, ticket, small, expectation{reason: upload.ServerMisconfigured, fate: upload.Broken})
			}
			if n := other.Count(Admission) + other.Count(Upload) + other.Count(Question); n != 0 {
				t.Errorf("%d requests followed a redirect to another host", n)
			}
		})
	}
}

// expectation is what a fault must lead to.
type expectation struct {
	reason upload.Reason
	class  upload.Class // zero: Passing
	wish   time.Duration
	fate   upload.Fate // of an upload
}

// expect makes the step's request and compares.
func (b *bench) expect(t *testing.T, step Step, ticket upload.Ticket, size int, want expectation) {
	t.Helper()
	var err error
	switch step {
	case Admission:
		_, err = b.client.Admit(t.Context(), delivery())
	case Question:
		_, err = b.client.Result(t.Context(), ticket)
	case Upload:
		x, sendErr := b.client.Send(t.Context(), delivery(), ticket, body(content(size)), nil)
		if sendErr != nil {
			t.Errorf("%s: an error instead of a fate: %v", step, sendErr)
			return
		}
		if x.Ticket.Fate != want.fate {
			t.Errorf("%s: fate %q, want %q (%v)", step, x.Ticket.Fate, want.fate, x.Cause)
		}
		if x.Cause != nil {
			err = x.Cause
		}
	}
	f, ok := errors.AsType[*upload.Fault](err)
	if !ok {
		t.Errorf("%s: no fault but %v", step, err)
		return
	}
	if want.class == 0 {
		want.class = upload.Passing
	}
	if f.Reason != want.reason || f.Class != want.class || f.RetryAfter != want.wish {
		t.Errorf("%s: %s fault %q after %s, want %s %q after %s", step, f.Class, f, f.RetryAfter, want.class, want.reason, want.wish)
	}
	b.clean(t, err)
}
