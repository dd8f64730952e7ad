package pipeline

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// TestAnUploadWhoseLeaseRanOutIsNotInTwoHands: the clock is set ahead while a
// stage runs; the lane that claims the upload anew waits until the first is out.
func TestAnUploadWhoseLeaseRanOutIsNotInTwoHands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ahead, inside, most, ran atomic.Int64
		var cause atomic.Value
		m := newMemory(spotted("a"))
		p := build(m, []Stage{{Name: "settle", From: upload.StateSpotted, Crew: Heavy, Run: func(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
			defer inside.Add(-1)
			most.Store(max(most.Load(), inside.Add(1)))
			if ran.Add(1) > 1 {
				return upload.Settled(u.Source), nil
			}
			synctest.Wait() // the renewal waits for its time: from now on the jump is the second lane's to see
			ahead.Store(int64(time.Hour))
			p := ctx.Value(pipelineKey{}).(*Pipeline)
			p.Wake(upload.Flu)
			<-ctx.Done()
			cause.Store(context.Cause(ctx))
			<-time.After(3 * time.Second) // virtual: a call that does not end at once
			return upload.Outcome{}, ctx.Err()
		}}})
		p.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), pipelineKey{}, p))
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx) }()
		<-time.After(20 * time.Second) // virtual
		cancel()
		<-done
		if ran.Load() < 2 || most.Load() != 1 {
			t.Errorf("%d runs, %d at once; want 2, one after the other", ran.Load(), most.Load())
		}
		if err, _ := cause.Load().(error); !errors.Is(err, journal.ErrLeaseLost) {
			t.Errorf("the first ended by %v", err)
		}
	})
}

type pipelineKey struct{}
