package pipeline

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestAStageEndsBeforeItsLeaseRunsOutUnrenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		m.away = errors.New("the journal is away")
		began := time.Now()
		var ended time.Duration
		var cause error
		p := build(m, []Stage{{Name: "settle", From: upload.StateSpotted, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
			<-ctx.Done()
			if ended == 0 {
				ended, cause = time.Since(began), context.Cause(ctx)
			}
			return upload.Outcome{}, ctx.Err()
		}}})
		stop := running(t, p)
		<-time.After(40 * time.Second) // virtual
		stop()
		if !errors.Is(cause, errLeaseUnsure) || ended < 20*time.Second || ended >= 30*time.Second {
			t.Errorf("ended after %s by %v, want before 30 s, by the lease", ended, cause)
		}
	})
}

func TestAShortLossOfTheJournalEndsNoStage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		var cause error
		p := build(m, []Stage{{Name: "settle", From: upload.StateSpotted, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return upload.Outcome{}, ctx.Err()
		}}})
		stop := running(t, p)
		away := func(err error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.away = err
		}
		for range 5 {
			<-time.After(9 * time.Second) // virtual
			away(errors.New("the journal is away"))
			<-time.After(10 * time.Second) // virtual
			away(nil)
			<-time.After(9 * time.Second) // virtual
		}
		if cause != nil {
			t.Errorf("ended by %v", cause)
		}
		stop()
	})
}

func TestALaneHoldsItsLeaseOverSeveralStages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		slow := func(o func(upload.Upload) upload.Outcome) func(context.Context, upload.Upload) (upload.Outcome, error) {
			return func(_ context.Context, u upload.Upload) (upload.Outcome, error) {
				<-time.After(9 * time.Second) // virtual; less than a third of the lease
				return o(u), nil
			}
		}
		resettled := func(upload.Upload) upload.Outcome { return upload.Resettled(upload.SourceChanged) }
		p := build(m, []Stage{
			{Name: "settle", From: upload.StateSpotted, Crew: Heavy, Run: slow(func(u upload.Upload) upload.Outcome { return upload.Settled(u.Source) })},
			{Name: "validate", From: upload.StateSettled, Crew: Heavy, Run: slow(func(upload.Upload) upload.Outcome {
				return upload.Validated(upload.Examination{Digest: "sha-256:a"})
			})},
			{Name: "pack", From: upload.StateValidated, Crew: Heavy, Run: slow(resettled)},
		})
		stop := running(t, p)
		<-time.After(5 * time.Minute) // virtual
		stop()
		if u := m.get("a"); u.Fence > 2 {
			t.Errorf("claimed %d times: its lease ran out under the lane", u.Fence)
		}
	})
}

func TestALeaseIsRenewedEveryThirdOfItThoughTheJournalsClockGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"))
		var back atomic.Int64
		p := build(m, []Stage{
			{Name: "settle", From: upload.StateSpotted, Crew: Heavy, Run: func(_ context.Context, u upload.Upload) (upload.Outcome, error) {
				back.Store(int64(time.Hour)) // while the lane holds it
				return upload.Settled(u.Source), nil
			}},
			{Name: "validate", From: upload.StateSettled, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
				<-ctx.Done()
				return upload.Outcome{}, ctx.Err()
			}},
		}, func(o *Options) {
			o.Now = func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }
		})
		stop := running(t, p)
		<-time.After(5 * time.Minute) // virtual
		stop()
		if m.renews < 29 {
			t.Errorf("renewed %d times in five minutes", m.renews)
		}
	})
}
