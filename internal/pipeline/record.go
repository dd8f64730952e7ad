package pipeline

import (
	"context"
	"errors"
	"log/slog"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// done is what a stage did.
type done struct {
	stage   Stage
	before  upload.Upload
	outcome upload.Outcome
	illegal error // the outcome does not fit what was before
}

// did is what the stage made of u, how u is after it, and whether the lane is to go on
// with it then.
func (p *Pipeline) did(c *crew, stage Stage, u upload.Upload, o upload.Outcome) (d done, next upload.Upload, keep bool) {
	now := p.Now()
	next, err := o.Apply(u, now)
	return done{stage, u, o, err}, next, err == nil && !o.Stays() && c.runs(next.State) && !next.NextAttemptAt.After(now)
}

// joins reports whether d, after which the lane goes on with next, waits for the next
// stage's outcome, to be recorded with it.
func (d done) joins(next upload.Upload) bool {
	return d.stage.Joins != nil && d.stage.Joins(d.before) && next.Verdict == ""
}

// recorded is what was written.
type recorded struct {
	after   upload.Upload
	outcome upload.Outcome
	kept    bool // the lease, since the crew goes on with the upload at once
}

// record writes the outcome, after those that wait for it, and tells of all; where
// the content turns out to be another upload's to deliver, the upload is held instead.
func (p *Pipeline) record(ctx context.Context, d done, t *tenure, keep bool) (recorded, error) {
	if d.illegal != nil {
		p.Logger.Error("stage returned an illegal outcome", slog.String("upload_id", string(d.before.ID)), slog.Any("error", d.illegal))
		d.outcome = upload.Failed(upload.InternalFault, d.illegal.Error())
	}
	after, err := p.write(ctx, append(t.unrecorded, d), keep)
	if errors.Is(err, journal.ErrContentTaken) {
		d.outcome, keep = upload.Hold(p.LocalPause, upload.SameContentInFlight, ""), false
		after, err = p.write(ctx, append(t.unrecorded, d), keep)
	}
	if err == nil {
		t.unrecorded = nil
	}
	return recorded{after, d.outcome, keep}, err
}

// write records what was done, in one change, and tells of it.
func (p *Pipeline) write(ctx context.Context, all []done, keep bool) (upload.Upload, error) {
	outcomes := make([]upload.Outcome, len(all))
	for i, d := range all {
		outcomes[i] = d.outcome
	}
	after, err := p.Journal.RecordAll(ctx, all[0].before, outcomes, p.Now(), keep)
	if err != nil {
		return after, err
	}
	for i, d := range all {
		next := after
		if i+1 < len(all) {
			next = all[i+1].before
		}
		p.announce(d.stage, d.before, next, d.outcome)
	}
	return after, nil
}

// giveBack ends a tenure whose stage was interrupted: what was done before is
// recorded, and the lease is given up.
func (p *Pipeline) giveBack(ctx context.Context, u upload.Upload, t *tenure) error {
	if len(t.unrecorded) == 0 {
		return p.Journal.Release(ctx, u)
	}
	after, err := p.write(ctx, t.unrecorded, false)
	if err == nil {
		p.Follow(after)
	}
	return err
}
