package app

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pipeline"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// idleJournal is a journal that holds nothing; asked for work it hangs once hangs is set.
type idleJournal struct {
	pipeline.Journal
	hangs atomic.Bool
}

func (j *idleJournal) ClaimSome(ctx context.Context, _ journal.Claim, _ int) ([]upload.Upload, error) {
	if j.hangs.Load() {
		<-ctx.Done()
	}
	return nil, ctx.Err()
}

func (j *idleJournal) NextDue(context.Context, upload.Channel, []upload.State) (time.Time, bool, error) {
	return time.Time{}, false, nil
}

// The journal's clock may be another machine's, and ours may be set. Neither says
// whether we live.
func TestLiveIsWhatMovesByTheSteadyClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { liveWith(t, func() time.Time { return time.Now().Add(ahead) }) })
		})
	}
}

func liveWith(t *testing.T, now func() time.Time) {
	t.Helper()
	j := &idleJournal{}
	p := pipeline.New(pipeline.Options{
		Journal: j, Channels: []upload.Channel{upload.Flu}, Now: now, Stages: []pipeline.Stage{{Name: "settle", From: upload.StateSpotted}},
	})
	h := newHealth(&App{pipeline: p, now: now})
	ctx, stop := context.WithCancel(t.Context())
	if h.Live(ctx) != nil {
		t.Error("dead at the start")
	}
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	<-time.After(time.Hour) // virtual
	if h.Live(ctx) != nil {
		t.Error("dead while it moves")
	}
	j.hangs.Store(true)
	<-time.After(2 * standstill) // virtual
	if h.Live(ctx) == nil {
		t.Error("alive while it stands still")
	}
}
