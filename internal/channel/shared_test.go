package channel_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/channel"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// shelf is a record that several gates share, as replicas do.
type shelf struct {
	mu    sync.Mutex
	rec   channel.Record
	saves int
	turn  chan struct{}
	asked int
	right string // the password that the server takes
}

func (s *shelf) Channel(context.Context, upload.Channel) (channel.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rec
	r.Seen = r.UpdatedAt
	return r, nil
}

func (s *shelf) SaveChannel(_ context.Context, r channel.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.Seen.Equal(s.rec.UpdatedAt) {
		return channel.ErrConflict
	}
	s.rec = r
	s.saves++
	return nil
}

// gate makes the gate of one replica.
func (s *shelf) gate(now func() time.Time) *channel.Gate {
	return channel.New(channel.Options{
		Channel: upload.Flu, Store: s, Shared: true, RefusedRetry: 15 * time.Minute, RefusedPerDay: 5, Now: now,
		CredentialHash: func() string { return "wrong" },
		Turn: func(context.Context) (func(), error) {
			s.turn <- struct{}{}
			return func() { <-s.turn }, nil
		},
	})
}

// ask is what a protocol does with the credentials.
func (s *shelf) ask(context.Context) error {
	pass(time.Second) // long enough for all the others to ask, too, if they may
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.right != "wrong" {
		return upload.RefusedFault("")
	}
	return nil
}

func TestAPauseOfOneReplicaClosesTheOthersAndNoneUndoesIt(t *testing.T) {
	t.Parallel()
	s := &shelf{turn: make(chan struct{}, 1)}
	one, two := s.gate(time.Now), s.gate(time.Now)
	for _, g := range []*channel.Gate{one, two} {
		if err := g.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Pause(t.Context(), "operator"); err != nil {
		t.Fatal(err)
	}
	two.Heard(t.Context(), upload.PassingFault(upload.ServerUnreachable, "", nil)) // it saves its own standing
	if s.saves != 2 {
		t.Fatalf("%d saves, want 2", s.saves)
	}
	for name, g := range map[string]*channel.Gate{"the one that paused": one, "the other": two} {
		closed, ok := errors.AsType[*upload.Closed](g.Ready(t.Context()))
		if !ok || closed.Reason != upload.ChannelPaused {
			t.Errorf("%s: %v, want paused", name, closed)
		}
	}
	if err := two.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := one.Ready(t.Context()); err != nil {
		t.Errorf("resumed by the other: %v", err)
	}
}

func TestReplicasShareTheBudgetOfRefusedCredentials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // the clock begins at midnight
		s := &shelf{turn: make(chan struct{}, 1)}
		gates := make([]*channel.Gate, 4)
		for i := range gates {
			gates[i] = s.gate(time.Now)
		}
		admit := func() {
			var all sync.WaitGroup
			for _, g := range gates {
				for range 3 {
					all.Go(func() { _ = g.Admit(t.Context(), s.ask) })
				}
			}
			all.Wait()
		}
		admit()
		if s.asked != 1 {
			t.Fatalf("%d askings at the start, want 1: the others wait and find the channel closed", s.asked)
		}
		for range 20 * 4 { // most of the day, every 15 minutes and a bit
			pass(15*time.Minute + time.Second)
			admit()
		}
		if s.asked != 1+5 {
			t.Errorf("%d askings in a day, want the first and five more", s.asked)
		}
	})
}
