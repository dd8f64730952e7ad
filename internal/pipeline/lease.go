package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// errLeaseUnsure is the cause by which a stage ends whose lease could not be
// renewed in time: another replica may hold the upload from now on.
var errLeaseUnsure = errors.New("the lease could not be renewed before it ran out")

// tenure is how long the lane holds its upload, as far as it knows. It lasts from
// the claim over all stages that the lane runs under it. The lane and the renewal
// of its running stage use it in turns, never at the same time.
type tenure struct {
	until      time.Time
	unrecorded []done // under it, in their order; see Stage.Joins
}

// renewing renews the lease until the returned function is called, when a third
// of it has passed and on failure every tenth; until then there is no goroutine, as
// most stages end long before. It ends the stage when the lease is lost, and also a
// tenth before it runs out unrenewed: a stage must not go on when its upload may be
// another's.
func (p *Pipeline) renewing(ctx context.Context, c *crew, u upload.Upload, t *tenure, cancel context.CancelCauseFunc) (stop func()) {
	ctx, quit := context.WithCancel(ctx)
	over := make(chan struct{})
	alarm := time.AfterFunc(p.untilRenewal(t), func() {
		defer close(over)
		for ctx.Err() == nil {
			if err := p.renew(ctx, u, t); err != nil {
				if ctx.Err() == nil {
					cancel(err)
				}
				return
			}
			p.alive(c)
			select {
			case <-ctx.Done():
			case <-time.After(max(p.untilRenewal(t), p.Lease/10)):
			}
		}
	})
	return func() {
		quit()
		if !alarm.Stop() {
			<-over
		}
	}
}

// untilRenewal is how long it takes until a third of the lease has passed; no longer,
// whatever a clock that has gone back may say: a renewal is a sign of life, too.
func (p *Pipeline) untilRenewal(t *tenure) time.Duration {
	return min(t.until.Sub(p.Now())-2*p.Lease/3, p.Lease/3)
}

// renew tries once. Its error says that the stage has to end.
func (p *Pipeline) renew(ctx context.Context, u upload.Upload, t *tenure) error {
	now, last := p.Now(), t.until.Add(-p.Lease/10)
	if !now.Before(last) {
		return errLeaseUnsure // asleep for so long, or refused so often
	}
	trying, cancel := context.WithTimeout(ctx, last.Sub(now))
	defer cancel()
	err := p.Journal.Renew(trying, u, now.Add(p.Lease))
	switch {
	case err == nil:
		t.until = now.Add(p.Lease)
	case errors.Is(err, journal.ErrLeaseLost):
		return err
	case !p.Now().Before(last):
		return errLeaseUnsure
	}
	return nil
}
