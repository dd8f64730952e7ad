package channel

import (
	"context"
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Admit runs ask, which uses the credentials, when they may be used now. It
// returns what ask returned; *upload.Closed where the channel is closed, or was
// closed by this very asking; or a fault of the store.
func (g *Gate) Admit(ctx context.Context, ask func(context.Context) error) error {
	if err := g.Ready(ctx); err != nil {
		return err
	}
	if g.isProven(g.o.CredentialHash()) {
		return g.run(ctx, ask)
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if g.isProven(g.o.CredentialHash()) { // by the one before
		<-g.turn
		return g.run(ctx, ask)
	}
	defer func() { <-g.turn }()
	if g.o.Turn != nil {
		release, err := g.o.Turn(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	undo, err := g.count(ctx)
	if err != nil {
		return err
	}
	err = g.run(ctx, ask)
	if f, ok := errors.AsType[*upload.Fault](err); ok && (f.Reason == upload.ServerUnreachable || f.Reason == upload.ServerTLS) {
		undo() // the server did not see the password
	}
	return err
}

// Test runs ask for an operator: at once, whatever the schedule or a pause say.
// It returns what ask returned.
func (g *Gate) Test(ctx context.Context, ask func(context.Context) error) error {
	if err := g.Load(ctx); err != nil {
		return err
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.turn }()
	hash := g.o.CredentialHash()
	err := ask(ctx)
	g.learn(ctx, hash, err)
	return err
}

// Recheck looks whether refused or missing credentials have changed, and if so
// wakes what waits for that. Whoever re-reads secrets calls it.
func (g *Gate) Recheck(ctx context.Context) {
	if g.Load(ctx) != nil {
		return // the store speaks up elsewhere
	}
	hash := g.o.CredentialHash()
	g.mu.Lock()
	waiting := g.missing || !g.rec.RefusedSince.IsZero()
	open := waiting && g.closed(hash, g.o.Now()) == nil
	if hash != "" {
		g.missing = false
	}
	g.mu.Unlock()
	g.announce()
	if open {
		g.wake(ctx, upload.CredentialsRefused, upload.CredentialsMissing)
	}
}

// run makes one asking and learns from it.
func (g *Gate) run(ctx context.Context, ask func(context.Context) error) error {
	hash := g.o.CredentialHash()
	err := ask(ctx)
	g.learn(ctx, hash, err)
	if f, ok := errors.AsType[*upload.Fault](err); !ok || f.Class != upload.Refused {
		return err
	}
	now := g.o.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	return &upload.Closed{Reason: upload.CredentialsRefused, For: g.probeAt(&g.rec, hash, now).Sub(now)}
}

// errUncounted: the asking needs no room.
var errUncounted = errors.New("not counted")

// count makes room for one asking with credentials that the server refused, or
// says that there is none. The asking is in the store before it is made.
func (g *Gate) count(ctx context.Context) (undo func(), err error) {
	hash, now := g.o.CredentialHash(), g.o.Now()
	var before, after Record
	err = g.change(ctx, func(r *Record) error {
		if c := g.closedBy(r, hash, now); c != nil { // closed by the one before
			return c
		}
		if !refused(r, hash) {
			return errUncounted
		}
		before = *r
		if day := g.day(now); r.RefusalDay != day {
			r.RefusalDay, r.RefusalsToday = day, 0
		}
		r.RefusalsToday++
		r.NextProbeAt = now.Add(g.o.RefusedRetry).UTC()
		after = *r
		return nil
	})
	closed, isClosed := errors.AsType[*upload.Closed](err)
	switch {
	case errors.Is(err, errUncounted):
		return func() {}, nil
	case isClosed:
		return nil, closed
	case err != nil:
		return nil, upload.LocalFaultOf(upload.JournalUnavailable, "keep the channel's record", err)
	}
	return func() {
		g.keep(ctx, func(r *Record) {
			if r.RefusalDay == after.RefusalDay && r.RefusalsToday == after.RefusalsToday && r.NextProbeAt.Equal(after.NextProbeAt) {
				r.RefusalDay, r.RefusalsToday, r.NextProbeAt = before.RefusalDay, before.RefusalsToday, before.NextProbeAt
			}
		})
	}, nil
}

// learn takes in how an asking with the credentials ended.
func (g *Gate) learn(ctx context.Context, hash string, err error) {
	f, refused := errors.AsType[*upload.Fault](err)
	refused = refused && f.Class == upload.Refused
	switch {
	case err == nil:
		g.mu.Lock()
		g.proven = hash
		was := !g.rec.RefusedSince.IsZero()
		g.mu.Unlock()
		if was {
			g.keep(ctx, func(r *Record) { // the day's count stays: the next refusal is of the same day
				r.RefusedSince, r.NextProbeAt, r.CredentialHash, r.Detail = time.Time{}, time.Time{}, "", ""
			})
			g.wake(ctx, upload.CredentialsRefused)
		}
	case refused:
		g.learnRefusal(ctx, hash, f)
	}
	g.hear(ctx, err, true)
}

func (g *Gate) learnRefusal(ctx context.Context, hash string, f *upload.Fault) {
	now := g.o.Now().UTC()
	g.mu.Lock()
	g.proven = ""
	g.mu.Unlock()
	g.keep(ctx, func(r *Record) {
		if r.RefusedSince.IsZero() {
			r.RefusedSince = now
		}
		r.CredentialHash, r.NextProbeAt, r.Detail = hash, now.Add(g.o.RefusedRetry), ""
		if said, ok := errors.AsType[*upload.Refusal](f); ok {
			r.Detail = said.Message
		}
	})
	if g.o.Refused != nil {
		g.o.Refused()
	}
}

func (g *Gate) isProven(hash string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return hash != "" && g.proven == hash
}

// refused reports whether these very credentials were refused.
func refused(r *Record, hash string) bool {
	return !r.RefusedSince.IsZero() && r.CredentialHash == hash
}

// probeAt is when these credentials may be used.
func (g *Gate) probeAt(r *Record, hash string, now time.Time) time.Time {
	if !refused(r, hash) {
		return now
	}
	at := r.NextProbeAt
	if at.Sub(now) > 2*g.o.RefusedRetry {
		at = now // it was set by a clock that has gone back since; twice, since clocks of replicas may differ
	}
	if r.RefusalDay == g.day(now) && r.RefusalsToday >= g.o.RefusedPerDay {
		if tomorrow := g.tomorrow(now); tomorrow.After(at) {
			at = tomorrow
		}
	}
	return at
}

func (g *Gate) day(now time.Time) string { return now.In(g.o.Location).Format(time.DateOnly) }

func (g *Gate) tomorrow(now time.Time) time.Time {
	y, m, d := now.In(g.o.Location).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, g.o.Location)
}
