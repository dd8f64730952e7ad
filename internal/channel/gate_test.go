package channel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hqms-sidecar/hqms-sidecar/internal/channel"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a gate, its store, and a server that takes one password.
type bench struct {
	mu      sync.Mutex
	rec     channel.Record
	saveErr error
	hash    string // the credentials as they are
	right   string // what the server takes
	away    bool
	asked   int
	now     func() time.Time
	woken   []upload.Reason
	states  []channel.State
	told    int // refusals
	log     bytes.Buffer
}

func newBench() *bench { return &bench{hash: "wrong", right: "right", now: time.Now} }

func (b *bench) Channel(context.Context, upload.Channel) (channel.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rec, nil
}

func (b *bench) SaveChannel(_ context.Context, r channel.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saveErr == nil {
		b.rec = r
	}
	return b.saveErr
}

// gate makes a gate as after a restart.
func (b *bench) gate() *channel.Gate {
	return channel.New(channel.Options{
		Channel: upload.Flu, Store: b, RefusedRetry: 15 * time.Minute, RefusedPerDay: 5, Now: b.now,
		CredentialHash: func() string { b.mu.Lock(); defer b.mu.Unlock(); return b.hash },
		Reopened: func(_ context.Context, _ upload.Channel, waiting []upload.Reason) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.woken = append(b.woken, waiting...)
		},
		Changed: func(s channel.Status) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.states = append(b.states, s.State)
		},
		Refused: func() { b.mu.Lock(); defer b.mu.Unlock(); b.told++ },
		Logger:  slog.New(slog.NewJSONHandler(&b.log, nil)),
	})
}

// pass lets the bubble's clock go on.
func pass(d time.Duration) { <-time.After(d) }

const words = "WORDS-OF-THE-SERVER"

// ask is what a protocol does with the credentials.
func (b *bench) ask(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	switch {
	case b.away:
		return upload.PassingFault(upload.ServerUnreachable, "", nil)
	case b.hash != b.right:
		f := upload.RefusedFault("")
		f.Err = &upload.Refusal{Message: words}
		return f
	}
	return nil
}

func (b *bench) set(change func(b *bench)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

func (b *bench) tookWake(r upload.Reason) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ok := slices.Contains(b.woken, r)
	b.woken = nil
	return ok
}

func wantClosed(t *testing.T, err error, r upload.Reason) time.Duration {
	t.Helper()
	c, ok := errors.AsType[*upload.Closed](err)
	if !ok || c.Reason != r {
		t.Fatalf("want closed for %s, got %v", r, err)
	}
	return c.For
}

func TestWrongPasswordIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		g := b.gate()
		began := time.Now()
		var at []time.Duration
		for time.Since(began) < 48*time.Hour { // an impatient pipeline, restarted now and then
			before := b.asked
			wantClosed(t, g.Admit(t.Context(), b.ask), upload.CredentialsRefused)
			if b.asked != before {
				at = append(at, time.Since(began))
			}
			pass(time.Minute)
			if len(at)%2 == 1 {
				g = b.gate()
			}
		}
		m := time.Minute
		want := []time.Duration{0, 15 * m, 30 * m, 45 * m, 60 * m, 75 * m}
		for _, day := range []time.Duration{24 * time.Hour} { // the bubble's clock begins at midnight UTC
			want = append(want, day, day+15*m, day+30*m, day+45*m, day+60*m)
		}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
		if b.told != len(want) {
			t.Errorf("told of %d refusals, want %d", b.told, len(want))
		}
	})
}

func TestOneAdmissionAtATimeWhileUnproven(t *testing.T) {
	t.Parallel()
	for name, right := range map[string]bool{"wrong": false, "right": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				if right {
					b.right = b.hash
				}
				g := b.gate()
				var most, now int
				slow := func(ctx context.Context) error {
					b.set(func(*bench) { now++; most = max(most, now) })
					pass(time.Second)
					b.set(func(*bench) { now-- })
					return b.ask(ctx)
				}
				var wg sync.WaitGroup
				errs := make([]error, 8)
				for i := range errs {
					wg.Go(func() { errs[i] = g.Admit(t.Context(), slow) })
				}
				synctest.Wait()
				b.set(func(*bench) {
					if now != 1 {
						t.Errorf("%d at once with unproven credentials", now)
					}
				})
				wg.Wait()
				if right {
					if b.asked != 8 || most != 7 || errors.Join(errs...) != nil {
						t.Errorf("once proven: asked %d, %d at once, %v", b.asked, most, errors.Join(errs...))
					}
					return
				}
				if b.asked != 1 {
					t.Errorf("a wrong password was used %d times", b.asked)
				}
				for _, err := range errs {
					wantClosed(t, err, upload.CredentialsRefused)
				}
			})
		})
	}
}

func TestChangedCredentialsAreTriedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench()
	g := b.gate()
	wait := wantClosed(t, g.Admit(t.Context(), b.ask), upload.CredentialsRefused)
	if wait <= 14*time.Minute || wait > 15*time.Minute {
		t.Errorf("waits %s", wait)
	}
	g.Recheck(t.Context())
	if b.tookWake(upload.CredentialsRefused) {
		t.Error("woken although nothing changed")
	}
	b.set(func(b *bench) { b.hash = "right" })
	g = b.gate()
	g.Recheck(t.Context())
	if !b.tookWake(upload.CredentialsRefused) {
		t.Error("not woken by new credentials")
	}
	if err := g.Admit(t.Context(), b.ask); err != nil || b.asked != 2 {
		t.Errorf("asked %d times, %v", b.asked, err)
	}
	if s := g.Status(); s.State != channel.OK || !s.RefusedSince.IsZero() || b.rec.CredentialHash != "" {
		t.Errorf("%+v", s)
	}
}

func TestAClockSetBackDoesNotStretchTheWaitForAnotherTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ahead := 20 * time.Hour
		b := newBench()
		b.now = func() time.Time { return time.Now().Add(ahead) }
		g := b.gate()
		wantClosed(t, g.Admit(t.Context(), b.ask), upload.CredentialsRefused)
		ahead = 0
		b.set(func(b *bench) { b.right = "wrong" }) // the server takes it after all
		if err := g.Admit(t.Context(), b.ask); err != nil {
			t.Errorf("with the clock set back by 20 h: %v", err)
		}
	})
}

func TestOperatorsTestAsksAtOnceAndOpens(t *testing.T) {
	t.Parallel()
	b := newBench()
	g := b.gate()
	wantClosed(t, g.Admit(t.Context(), b.ask), upload.CredentialsRefused)
	if s := g.Status(); s.State != channel.Refused || s.ServerMessage != words || s.NextProbeAt.IsZero() {
		t.Errorf("%+v", s)
	}
	err := g.Test(t.Context(), b.ask)
	if f := upload.AsFault(err); f.Class != upload.Refused || b.asked != 2 {
		t.Errorf("asked %d times, %v", b.asked, err)
	}
	b.set(func(b *bench) { b.right = "wrong" }) // corrected at the server
	if err := g.Test(t.Context(), b.ask); err != nil || !b.tookWake(upload.CredentialsRefused) {
		t.Errorf("%v", err)
	}
	if err := g.Ready(t.Context()); err != nil {
		t.Errorf("still closed: %v", err)
	}
	if diff := cmp.Diff([]channel.State{channel.Refused, channel.OK}, b.states); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(b.log.String(), `"level":"WARN","msg":"channel changed","channel":"flu","state":"refused"`) ||
		!strings.Contains(b.log.String(), `"level":"INFO","msg":"channel changed","channel":"flu","state":"ok"`) {
		t.Errorf("what needs somebody is not told as a warning: %s", &b.log)
	}
	if strings.Contains(b.log.String(), words) {
		t.Error("the log holds the server's words")
	}
}

func TestRefusedIsNotTriedWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		g := b.gate()
		wantClosed(t, g.Admit(t.Context(), b.ask), upload.CredentialsRefused)
		pass(16 * time.Minute)
		b.saveErr = errors.New("disk full")
		err := g.Admit(t.Context(), b.ask)
		if f := upload.AsFault(err); f.Reason != upload.JournalUnavailable || b.asked != 1 {
			t.Errorf("asked %d times, %v", b.asked, err)
		}
		b.saveErr = nil
		wantClosed(t, g.Admit(t.Context(), b.ask), upload.CredentialsRefused)
		if b.asked != 2 || b.rec.RefusalsToday != 1 {
			t.Errorf("asked %d times, counted %d", b.asked, b.rec.RefusalsToday)
		}
	})
}

func TestAnAskingThatDidNotReachTheServerIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		g := b.gate()
		wantClosed(t, g.Admit(t.Context(), b.ask), upload.CredentialsRefused)
		b.away = true
		for range 10 {
			pass(16 * time.Minute)
			if err := g.Admit(t.Context(), b.ask); upload.AsFault(err).Reason != upload.ServerUnreachable {
				t.Fatalf("got %v", err)
			}
		}
		if b.rec.RefusalsToday != 0 {
			t.Errorf("counted %d", b.rec.RefusalsToday)
		}
	})
}

func TestPauseLastsOverRestarts(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.right = b.hash
	g := b.gate()
	if err := g.Pause(t.Context(), "operator"); err != nil {
		t.Fatal(err)
	}
	g = b.gate()
	wantClosed(t, g.Admit(t.Context(), b.ask), upload.ChannelPaused)
	if s := g.Status(); s.State != channel.Paused || s.PausedBy != "operator" || s.PausedAt.IsZero() || b.asked != 0 {
		t.Errorf("%+v", s)
	}
	if err := g.Resume(t.Context()); err != nil || !b.tookWake(upload.ChannelPaused) {
		t.Errorf("resume: %v", err)
	}
	if err := b.gate().Admit(t.Context(), b.ask); err != nil {
		t.Errorf("after resume: %v", err)
	}
	b.saveErr = errors.New("disk full")
	if err := g.Pause(t.Context(), "operator"); err == nil || g.Status().State != channel.OK {
		t.Errorf("a pause that would not last: %v, %s", err, g.Status().State)
	}
}

func TestOfflineFromTheFirstUnreachableToTheFirstSuccess(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.right, b.away = b.hash, true
	g := b.gate()
	_ = g.Admit(t.Context(), b.ask)
	if s := g.Status(); s.State != channel.Offline || s.Reason != upload.ServerUnreachable || s.OfflineSince.IsZero() {
		t.Errorf("%+v", s)
	}
	if err := g.Ready(t.Context()); err != nil {
		t.Errorf("offline closes nothing: %v", err)
	}
	g.Heard(t.Context(), fmt.Errorf("stop: %w", context.Canceled))
	g.Heard(t.Context(), upload.PassingFault(upload.ServerError, "", nil))
	if s := g.Status(); s.State != channel.Offline || b.tookWake(upload.ServerUnreachable) {
		t.Errorf("%+v", s)
	}
	g.Heard(t.Context(), nil)
	if s := g.Status(); s.State != channel.OK || !b.tookWake(upload.ServerUnreachable) {
		t.Errorf("%+v", s)
	}
	g.Heard(t.Context(), nil)
	if b.tookWake(upload.ServerUnreachable) {
		t.Error("woken again and again")
	}
}

func TestAUselessAdmissionIsEndedByAnAdmissionAlone(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.right = b.hash
	g := b.gate()
	_ = g.Admit(t.Context(), func(context.Context) error {
		return upload.PassingFault(upload.ServerMisconfigured, "gettoken: HTTP status 404", nil)
	})
	g.Heard(t.Context(), nil)
	if s := g.Status(); s.State != channel.Offline || s.Reason != upload.ServerMisconfigured {
		t.Errorf("%+v", s)
	}
	if err := g.Admit(t.Context(), b.ask); err != nil || g.Status().State != channel.OK {
		t.Errorf("%v, %+v", err, g.Status())
	}
}

func TestTheStrongestStateIsShown(t *testing.T) {
	t.Parallel()
	b := newBench()
	g := b.gate()
	show := func(want channel.State) {
		t.Helper()
		if got := g.Status().State; got != want {
			t.Errorf("shows %s, want %s", got, want)
		}
	}
	show(channel.OK)
	g.Heard(t.Context(), upload.PassingFault(upload.ServerTLS, "", nil))
	show(channel.Offline)
	_ = g.Admit(t.Context(), b.ask)
	show(channel.Refused)
	g.Block(upload.ReadOnly, "")
	show(channel.Blocked)
	_ = g.Pause(t.Context(), "x")
	show(channel.Paused)
	b.set(func(b *bench) { b.hash = "" })
	show(channel.Unconfigured)
	_ = g.Resume(t.Context())
	wantClosed(t, g.Ready(t.Context()), upload.CredentialsMissing)
	b.set(func(b *bench) { b.hash, b.woken = "other", nil })
	g.Recheck(t.Context())
	if !b.tookWake(upload.CredentialsMissing) {
		t.Error("not woken by credentials that came")
	}
	g.Block("", "")
	show(channel.OK)
}
