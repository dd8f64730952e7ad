package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func spotted(id upload.ID) upload.Upload {
	return upload.Upload{ID: id, Channel: upload.Flu, State: upload.StateSpotted, Digest: "sha-256:" + string(id)}
}

// always makes a stage that ends in o.
func always(name string, from upload.State, crew Crew, o upload.Outcome) Stage {
	return Stage{Name: name, From: from, Crew: crew, Run: func(context.Context, upload.Upload) (upload.Outcome, error) { return o, nil }}
}

// way is every stage, each doing its usual.
func way() []Stage {
	return []Stage{
		always("settle", upload.StateSpotted, Light, upload.Settled(upload.Identity{Size: 1})),
		always("validate", upload.StateSettled, Heavy, upload.Validated(upload.Examination{Digest: "sha-256:aa"})),
		always("pack", upload.StateValidated, Heavy, upload.Packed()),
		always("transmit", upload.StatePacked, Heavy, upload.Sent(upload.Ticket{Token: "t"}, "")),
		always("confirm", upload.StateSent, Asking, upload.Decided(upload.Accepted, "", nil)),
		always("retire", upload.StateDecided, Asking, upload.Retired(upload.InArchive, "a", "")),
	}
}

// with replaces the stage of the same name.
func with(stages []Stage, s Stage) []Stage {
	for i := range stages {
		if stages[i].Name == s.Name {
			stages[i] = s
		}
	}
	return stages
}

func build(m *memory, stages []Stage, change ...func(*Options)) *Pipeline {
	o := Options{
		Journal: m, Stages: stages, Channels: []upload.Channel{upload.Flu}, Owner: "test", Concurrency: 2,
		Lease: 30 * time.Second, Backoff: upload.Backoff{Min: time.Second, Max: time.Minute},
	}
	for _, c := range change {
		c(&o)
	}
	return New(o)
}

// running runs p in a bubble until the returned function is called.
func running(t *testing.T, p *Pipeline) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	return func() { cancel(); <-done }
}

func TestUploadGoesTheWholeWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"), spotted("b"))
		defer running(t, build(m, way()))()
		synctest.Wait()
		for _, id := range []upload.ID{"a", "b"} {
			want := []string{"settled", "validated", "packed", "sent", "decided", "retired"}
			if got := m.trail(id); !slices.Equal(got, want) {
				t.Errorf("%s went %v, want %v", id, got, want)
			}
			if m.leased(id) {
				t.Errorf("%s is still leased at the end", id)
			}
		}
	})
}

func TestPassingFaultIsTriedAgainWithGrowingPausesForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		m := newMemory(spotted("a"))
		p := build(m, with(way(), Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
			tries = append(tries, time.Now())
			if len(tries) < 40 {
				return upload.Outcome{}, upload.PassingFault(upload.ServerUnreachable, "", errors.New("refused"))
			}
			return upload.Sent(upload.Ticket{Token: "t"}, ""), nil
		}}))
		defer running(t, p)()
		<-time.After(2 * time.Hour) // virtual
		synctest.Wait()
		if got := m.get("a"); got.State != upload.StateRetired {
			t.Fatalf("state %s after %d tries", got.State, len(tries))
		}
		for i := 1; i < len(tries); i++ {
			if gap, ceiling := tries[i].Sub(tries[i-1]), p.Backoff.Ceiling(i); gap < p.Backoff.Min/2 || gap > ceiling+time.Second {
				t.Errorf("pause %d was %v, want at most %v", i, gap, ceiling)
			}
		}
	})
}

func TestEachClassOfFaultHasItsOwnConsequence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		fault   error
		state   upload.State
		reason  upload.Reason
		attempt int
	}{
		{"passing is retried", upload.PassingFault(upload.ServerError, "", nil), upload.StateSpotted, upload.ServerError, 1},
		{"local is held", upload.LocalFaultOf(upload.DiskFull, "", nil), upload.StateSpotted, upload.DiskFull, 0},
		{"refused is held", upload.RefusedFault("no"), upload.StateSpotted, upload.CredentialsRefused, 0},
		{"permanent is parked", upload.PermanentFault(upload.InternalFault, "x", nil), upload.StateFailed, upload.InternalFault, 0},
		{"unclassified is retried", errors.New("odd"), upload.StateSpotted, upload.InternalFault, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(spotted("a"))
			p := build(m, []Stage{{Name: "settle", From: upload.StateSpotted, Crew: Light, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
				return upload.Outcome{}, fmt.Errorf("stage: %w", c.fault)
			}}})
			if worked, err := p.RunOnce(t.Context(), upload.Flu, Light); !worked || err != nil {
				t.Fatalf("worked %v, error %v", worked, err)
			}
			if u := m.get("a"); u.State != c.state || u.Reason != c.reason || u.Attempt != c.attempt {
				t.Errorf("state %s, reason %s, attempt %d", u.State, u.Reason, u.Attempt)
			}
		})
	}
}

func TestRetryAfterIsRespected(t *testing.T) {
	t.Parallel()
	m := newMemory(spotted("a"))
	busy := upload.PassingFault(upload.ServerBusy, "", nil)
	busy.RetryAfter = time.Hour
	p := build(m, []Stage{{Name: "s", From: upload.StateSpotted, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
		return upload.Outcome{}, busy
	}}})
	before := time.Now()
	if _, err := p.RunOnce(t.Context(), upload.Flu, Light); err != nil {
		t.Fatal(err)
	}
	if next := m.get("a").NextAttemptAt; next.Before(before.Add(time.Hour)) {
		t.Errorf("next attempt %v from now", next.Sub(before))
	}
}

func TestPanicIsOneUploadsFaultAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("bad"), spotted("good"))
		p := build(m, with(way(), Stage{Name: "settle", From: upload.StateSpotted, Run: func(_ context.Context, u upload.Upload) (upload.Outcome, error) {
			if u.ID == "bad" {
				panic("张三 110101199001011234")
			}
			return upload.Settled(upload.Identity{}), nil
		}}))
		defer running(t, p)()
		synctest.Wait()
		if u := m.get("good"); u.State != upload.StateRetired {
			t.Errorf("the good one is %s", u.State)
		}
		if u := m.get("bad"); u.State != upload.StateSpotted || u.Reason != upload.InternalFault {
			t.Errorf("the bad one is %s, %s", u.State, u.Reason)
		}
	})
}

func TestSlowUploadDoesNotHoldUpVerdicts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		slow := Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
			<-release
			return upload.Sent(upload.Ticket{Token: "t"}, ""), nil
		}}
		sent := spotted("sent")
		sent.State = upload.StateSent
		m := newMemory(spotted("a"), spotted("b"), spotted("c"), sent)
		stop := running(t, build(m, with(way(), slow)))
		synctest.Wait()
		if u := m.get("sent"); u.State != upload.StateRetired {
			t.Errorf("with every heavy lane busy, the sent one is %s", u.State)
		}
		close(release)
		synctest.Wait()
		stop()
		if u := m.get("c"); u.State != upload.StateRetired {
			t.Errorf("the last one is %s", u.State)
		}
	})
}

func TestConcurrencyIsALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		m := newMemory()
		for i := range 20 {
			u := spotted(upload.ID(fmt.Sprint(i)))
			u.State = upload.StatePacked
			m.add(u)
		}
		p := build(m, with(way(), Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
			n := now.Add(1)
			most.Store(max(most.Load(), n))
			<-time.After(time.Second) // virtual
			now.Add(-1)
			return upload.Sent(upload.Ticket{Token: "t"}, ""), nil
		}}), func(o *Options) { o.Concurrency = 3 })
		defer running(t, p)()
		<-time.After(time.Minute) // virtual
		synctest.Wait()
		if most.Load() != 3 {
			t.Errorf("at most %d at once, want 3", most.Load())
		}
	})
}

func TestClosedStageWaitsAndGoesOnWhenWoken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Bool
		m := newMemory(spotted("a"))
		transmit := always("transmit", upload.StatePacked, Heavy, upload.Sent(upload.Ticket{Token: "t"}, ""))
		transmit.Open = func(upload.Channel) bool { return open.Load() }
		p := build(m, with(way(), transmit))
		defer running(t, p)()
		<-time.After(time.Hour) // virtual
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StatePacked || m.leased("a") {
			t.Fatalf("with the gate closed: state %s, leased %v", u.State, m.leased("a"))
		}
		open.Store(true)
		p.Wake(upload.Flu)
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StateRetired {
			t.Errorf("with the gate open: state %s", u.State)
		}
	})
}

func TestShutdownLeavesAnInterruptedRowAsItWas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		p := build(m, with(way(), Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
			<-ctx.Done()
			return upload.Outcome{}, ctx.Err()
		}}))
		stop := running(t, p)
		synctest.Wait()
		stop()
		u := m.get("a")
		if u.State != upload.StatePacked || u.Attempt != 0 || m.leased("a") {
			t.Errorf("state %s, attempt %d, leased %v", u.State, u.Attempt, m.leased("a"))
		}
	})
}

func TestResultThatIsReadyAtShutdownIsRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		p := build(m, with(way(), Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
			<-ctx.Done() // the answer came just now
			return upload.Sent(upload.Ticket{Token: "t"}, ""), nil
		}}))
		stop := running(t, p)
		synctest.Wait()
		stop()
		if u := m.get("a"); u.State != upload.StateSent {
			t.Errorf("state %s: the result was lost", u.State)
		}
	})
}

func TestLeaseIsRenewedWhileAStageRunsAndItsLossEndsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		var cause error
		p := build(m, with(way(), Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return upload.Outcome{}, ctx.Err()
		}}))
		defer running(t, p)()
		<-time.After(5 * time.Minute) // virtual
		synctest.Wait()
		if m.renews < 20 || cause != nil {
			t.Fatalf("%d renewals in five minutes, cause %v", m.renews, cause)
		}
		m.mu.Lock()
		m.lost["a"] = true
		m.mu.Unlock()
		<-time.After(11 * time.Second) // virtual
		synctest.Wait()
		if cause == nil {
			t.Error("the stage goes on although its lease is lost")
		}
	})
}

func TestOperatorInterruptsARunningStage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		decided := errors.New("cancelled by an operator")
		m := newMemory(spotted("a"))
		var cause error
		p := build(m, with(way(), Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return upload.Outcome{}, ctx.Err()
		}}), func(o *Options) { o.Channels = []upload.Channel{upload.Flu} })
		defer running(t, p)()
		synctest.Wait()
		m.mu.Lock()
		m.rows["a"].u.State = upload.StateCancelled
		m.rows["a"].u.Fence++
		m.mu.Unlock()
		p.Interrupt("a", decided)
		synctest.Wait()
		if !errors.Is(cause, decided) || m.get("a").State != upload.StateCancelled {
			t.Errorf("cause %v, state %s", cause, m.get("a").State)
		}
	})
}

func TestNudgeDuringALookIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		var p *Pipeline
		looks := 0
		p = build(m, with(way(), Stage{Name: "settle", From: upload.StateSpotted, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
			looks++
			if looks == 1 {
				p.Nudge("a") // the file is closed just after the stage has looked
				return upload.Hold(time.Hour, upload.WriterOpen, ""), nil
			}
			return upload.Settled(upload.Identity{}), nil
		}}))
		defer running(t, p)()
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StateRetired || looks != 2 {
			t.Errorf("state %s after %d looks", u.State, looks)
		}
		if p.Nudge("a") {
			t.Error("a nudge for an upload that nobody works on is taken")
		}
	})
}

// What an upload waits for may come after its stage has looked and before it is known
// to wait: whoever wakes those that wait does not find it then.
func TestWhatComesWhileAPauseIsRecordedIsNotLost(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"a nudge", "an opened gate"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(spotted("a"))
				var p *Pipeline
				came := false
				m.recording = func(u upload.Upload) {
					if u.State == upload.StateSpotted && !came {
						came = true
						if by == "a nudge" && !p.Nudge("a") {
							t.Error("the nudge is not taken, though the row does not say yet that it waits")
						}
					}
				}
				p = build(m, with(way(), Stage{
					Name: "settle", From: upload.StateSpotted,
					Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
						if !came {
							return upload.Hold(time.Hour, upload.ChannelPaused, ""), nil
						}
						return upload.Settled(upload.Identity{}), nil
					},
					Overtaken: func(_ context.Context, u upload.Upload) bool {
						return by == "an opened gate" && u.Reason == upload.ChannelPaused
					},
				}))
				defer running(t, p)()
				synctest.Wait()
				if got, want := m.trail("a"), []string{"hold", "settled"}; len(got) < 2 || !slices.Equal(got[:2], want) {
					t.Errorf("went %v, want %v and on", got, want)
				}
			})
		})
	}
}

func TestJournalOutageIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		m.fail(errors.New("disk full"))
		p := build(m, way())
		defer running(t, p)()
		<-time.After(time.Hour) // virtual
		synctest.Wait()
		m.fail(nil)
		<-time.After(2 * time.Second) // virtual
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StateRetired {
			t.Errorf("after the outage: state %s", u.State)
		}
	})
}

func TestContentThatAnotherUploadDeliversIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		m.taken["a"] = true
		defer running(t, build(m, way()))()
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StateValidated || u.Reason != upload.SameContentInFlight {
			t.Fatalf("state %s, reason %s", u.State, u.Reason)
		}
		<-time.After(6 * time.Second) // virtual
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StateRetired {
			t.Errorf("later: state %s", u.State)
		}
	})
}

func TestIllegalOutcomeParksTheUpload(t *testing.T) {
	t.Parallel()
	m := newMemory(spotted("a"))
	p := build(m, []Stage{always("settle", upload.StateSpotted, Light, upload.Packed())})
	if _, err := p.RunOnce(t.Context(), upload.Flu, Light); err != nil {
		t.Fatal(err)
	}
	if u := m.get("a"); u.State != upload.StateFailed || u.Reason != upload.InternalFault {
		t.Errorf("state %s, reason %s", u.State, u.Reason)
	}
}

func TestHoldIsLookedAtAgainWhenDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		m := newMemory(spotted("a"))
		p := build(m, with(way(), Stage{Name: "settle", From: upload.StateSpotted, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
			looks++
			if looks < 3 {
				return upload.Hold(2*time.Second, upload.QuietPeriod, ""), nil
			}
			return upload.Settled(upload.Identity{}), nil
		}}))
		begin := time.Now()
		defer running(t, p)()
		<-time.After(4*time.Second + time.Millisecond) // virtual
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StateRetired || looks != 3 {
			t.Errorf("after %v: state %s, %d looks", time.Since(begin), u.State, looks)
		}
	})
}

func TestPauseOfAnOutcomeIsKeptAlsoByTheSameCrew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		p := build(m, with(way(), always("pack", upload.StateValidated, Heavy, upload.Packed().After(time.Minute))))
		defer running(t, p)()
		<-time.After(59 * time.Second) // virtual
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StatePacked || m.leased("a") {
			t.Fatalf("within the pause: state %s, leased %v", u.State, m.leased("a"))
		}
		<-time.After(2 * time.Second) // virtual
		synctest.Wait()
		if u := m.get("a"); u.State != upload.StateRetired {
			t.Errorf("after the pause: state %s", u.State)
		}
	})
}
