package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// maxNudges bounds how often a stage runs once more under one lease.
	maxNudges = 3
	// idleLook bounds how long an idle crew trusts its timer, half a lease does
	// too: rows may be claimed and become due by another replica's hand, and what
	// that one leaves behind is to be taken over when its lease has run out.
	idleLook = 15 * time.Second
	// journalPause is how long a crew waits when the journal does not answer.
	journalPause = time.Second
	// recordBudget is how long a result may take to be written, also while
	// shutting down.
	recordBudget = 10 * time.Second
)

// lane claims and works until ctx ends.
func (p *Pipeline) lane(ctx context.Context, c *crew) {
	for {
		x := p.next(ctx, c)
		if x == nil {
			return
		}
		p.alive(c)
		rest := p.work(ctx, c, x)
		c.finish(func() {
			if err := rest(); err != nil && ctx.Err() == nil {
				p.Logger.Warn("journal does not answer, will try again", slog.String("channel", string(c.channel)), slog.Any("error", err))
				c.signalIn(journalPause)
			}
		})
	}
}

// work takes a claimed upload as far as it goes without waiting, and gives what is
// left to be done about it, for which no lane is needed: to record the last outcome.
// The error of that is the journal's.
func (p *Pipeline) work(ctx context.Context, c *crew, x *claimed) (rest func() error) {
	if ctx.Err() != nil || !c.runs(x.State) { // the channel was closed since it was claimed
		return func() error {
			record, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordBudget)
			defer cancel()
			return ignoreLost(p.Journal.Release(record, x.Upload))
		}
	}
	t, u := &tenure{until: x.until}, x.Upload
	for rest == nil {
		u, rest = p.step(ctx, c, u, t)
	}
	return rest
}

// RunOnce claims one due upload of the channel for the crew and takes it as far
// as it goes without waiting. It reports whether there was one; the error is
// the journal's, never a stage's.
func (p *Pipeline) RunOnce(ctx context.Context, ch upload.Channel, kind Crew) (bool, error) {
	c, ok := p.crews[crewKey{ch, kind}]
	if !ok {
		return false, nil
	}
	states := c.open()
	if len(states) == 0 {
		return false, nil
	}
	now := p.Now()
	got, err := p.Journal.ClaimSome(ctx, journal.Claim{Channel: ch, States: states, First: p.first(c), Owner: p.Owner, Lease: p.Lease, Now: now}, 1)
	if err != nil || len(got) == 0 {
		return false, err
	}
	return true, p.work(ctx, c, &claimed{got[0], now.Add(p.Lease)})()
}

// step runs one stage. Where the lane goes on with the upload it gives it as it is
// then, else what is left to be done.
func (p *Pipeline) step(ctx context.Context, c *crew, u upload.Upload, t *tenure) (_ upload.Upload, rest func() error) {
	stage := c.stages[u.State]
	outcome, ended, fault := p.runStage(ctx, c, u, t)
	for again := 0; again < maxNudges && fault == nil && outcome.Stays() && outcome.Name() != "" && p.nudged(u.ID); again++ {
		ended(u, outcome, nil)
		outcome, ended, fault = p.runStage(ctx, c, u, t)
	}
	d, next, keep := p.did(c, stage, u, outcome)
	if keep && fault == nil && d.joins(next) {
		ended(next, outcome, nil)
		t.unrecorded = append(t.unrecorded, d)
		p.dismiss(u.ID, t)
		return next, nil
	}
	if !keep {
		return u, func() error {
			_, _, err := p.conclude(ctx, d, t, keep, told{ended, fault})
			return err
		}
	}
	after, more, err := p.conclude(ctx, d, t, keep, told{ended, fault})
	if !more {
		rest = func() error { return err }
	}
	return after, rest
}

// told is what the observer is told when a stage's outcome has been recorded.
type told struct {
	ended func(upload.Upload, upload.Outcome, error)
	fault error
}

// conclude records what a stage did, and keeps the lease if asked to. It reports
// whether the lane may go on with the upload.
func (p *Pipeline) conclude(ctx context.Context, d done, t *tenure, keep bool, o told) (upload.Upload, bool, error) {
	u := d.before
	defer p.dismiss(u.ID, t) // if it still is to be done
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordBudget)
	defer cancel()
	if d.outcome.Name() == "" { // interrupted: the row stays as it is
		o.ended(u, d.outcome, o.fault)
		return u, false, ignoreLost(p.giveBack(record, u, t))
	}
	r, err := p.record(record, d, t, keep)
	if err != nil {
		o.ended(u, d.outcome, errors.Join(o.fault, err))
		if errors.Is(err, journal.ErrLeaseLost) {
			p.Logger.LogAttrs(ctx, slog.LevelWarn, "lease lost, result dropped", uploadAttrs(u, d.stage)...)
			return u, false, nil
		}
		return u, false, err
	}
	o.ended(r.after, r.outcome, o.fault)
	switch nudged := p.dismiss(u.ID, t); {
	case !r.kept:
		return r.after, false, p.leave(record, d.stage, r, nudged)
	case ctx.Err() != nil:
		return r.after, false, ignoreLost(p.Journal.Release(record, r.after))
	default:
		return r.after, true, nil
	}
}

// leave has the crew whose turn it is look when the upload is due: at once, where what
// it waits for came while that it waits was being recorded.
func (p *Pipeline) leave(ctx context.Context, stage Stage, r recorded, nudged bool) error {
	u := r.after
	if r.outcome.Stays() && (nudged || stage.Overtaken != nil && stage.Overtaken(ctx, u)) {
		now := p.Now()
		if err := p.Journal.Touch(ctx, u.ID, now); err != nil {
			return err
		}
		u.NextAttemptAt = now
	}
	p.Follow(u)
	return nil
}

// runStage runs the stage under a renewed lease. The zero outcome means that it
// was interrupted and nothing is to be recorded.
func (p *Pipeline) runStage(parent context.Context, c *crew, u upload.Upload, t *tenure) (upload.Outcome, func(upload.Upload, upload.Outcome, error), error) {
	stage := c.stages[u.State]
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	p.enlist(u.ID, t, cancel)
	defer p.renewing(ctx, c, u, t, cancel)()
	ctx, ended := p.Observer.StageBegan(ctx, u, stage.Name)
	outcome, err := guarded(ctx, stage, u)
	if err == nil {
		return outcome, ended, nil
	}
	if ctx.Err() != nil {
		return upload.Outcome{}, ended, context.Cause(ctx)
	}
	fault := upload.AsFault(err)
	p.Faulted(stage.Name, u, fault)
	p.logFault(stage, u, fault)
	return p.decide(u, fault), ended, err
}

// decide says what a fault does to an upload.
func (p *Pipeline) decide(u upload.Upload, f *upload.Fault) upload.Outcome {
	switch f.Class {
	case upload.Permanent:
		return upload.Failed(f.Reason, f.Detail)
	case upload.Local:
		return upload.Hold(p.LocalPause, f.Reason, f.Detail)
	case upload.Refused:
		return upload.Hold(p.LocalPause, f.Reason, f.Detail) // the channel's gate is closed meanwhile
	default:
		return upload.Retry(p.Backoff.Delay(u.Attempt+1, f.RetryAfter), f.Reason, f.Detail)
	}
}

// guarded runs a stage and turns a panic into a fault.
func guarded(ctx context.Context, stage Stage, u upload.Upload) (o upload.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			// The panic's value may quote data: the stack says where, which is enough.
			err = upload.PassingFault(upload.InternalFault, "panic in stage "+stage.Name, fmt.Errorf("panic (%T)\n%s", r, debug.Stack()))
		}
	}()
	return stage.Run(ctx, u)
}

// enlist puts the run of a stage on record. Where another lane of this process
// still has the upload, under a lease that ran out (the clock was set ahead, or
// the process stood still), that one is ended and waited for: two of us must
// not have a file in hand, or on the line, at once.
func (p *Pipeline) enlist(id upload.ID, t *tenure, cancel context.CancelCauseFunc) {
	for {
		p.mu.Lock()
		before, busy := p.running[id]
		if !busy || before.tenure == t {
			if !busy {
				before = &run{tenure: t, over: make(chan struct{})}
				p.running[id] = before
			}
			before.cancel, before.nudged = cancel, false
			if before.lost {
				cancel(journal.ErrLeaseLost)
			}
			p.mu.Unlock()
			return
		}
		before.lost = true // also where the stage is just about to run once more
		before.cancel(journal.ErrLeaseLost)
		p.mu.Unlock()
		<-before.over
	}
}

// nudged reports whether a nudge came since the stage began.
func (p *Pipeline) nudged(id upload.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.running[id]
	return ok && r.nudged
}

// dismiss takes the run of a tenure's stage off the record, and reports whether a
// nudge came before that.
func (p *Pipeline) dismiss(id upload.ID, t *tenure) (nudged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.running[id]
	if !ok || r.tenure != t {
		return false
	}
	delete(p.running, id)
	close(r.over)
	return r.nudged
}

// alive notes a sign of life of the crew.
func (p *Pipeline) alive(c *crew) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat[c.crewKey] = time.Now()
}

func ignoreLost(err error) error {
	if errors.Is(err, journal.ErrLeaseLost) {
		return nil
	}
	return err
}
