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
	return &upload.Closed{Reason: upload.CredentialsRefused, For: g.probeAt(hash, now).Sub(now)}
}

// count makes room for one asking with credentials that the server refused, or
// says that there is none. The asking is in the store before it is made.
func (g *Gate) count(ctx context.Context) (undo func(), err error) {
	hash, now := g.o.CredentialHash(), g.o.Now()
	g.mu.Lock()
	if c := g.closed(hash, now); c != nil { // closed by the one before
		g.mu.Unlock()
		return nil, c
	}
	if !g.refused(hash) {
		g.mu.Unlock()
		return func() {}, nil
	}
	before := g.rec
	if day := g.day(now); g.rec.RefusalDay != day {
		g.rec.RefusalDay, g.rec.RefusalsToday = day, 0
	}
	g.rec.RefusalsToday++
	g.rec.NextProbeAt = now.Add(g.o.RefusedRetry).UTC()
	g.mu.Unlock()
	restore := func() {
		g.mu.Lock()
		g.rec.RefusalDay, g.rec.RefusalsToday, g.rec.NextProbeAt = before.RefusalDay, before.RefusalsToday, before.NextProbeAt
		g.mu.Unlock()
	}
	if err := g.save(ctx); err != nil {
		restore()
		return nil, upload.LocalFaultOf(upload.JournalUnavailable, "keep the channel's record", err)
	}
	return func() { restore(); g.keep(ctx) }, nil
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
		if was { // the day's count stays: the next refusal is of the same day
			g.rec.RefusedSince, g.rec.NextProbeAt, g.rec.CredentialHash, g.rec.Detail = time.Time{}, time.Time{}, "", ""
		}
		g.mu.Unlock()
		if was {
			g.keep(ctx)
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
	if g.rec.RefusedSince.IsZero() {
		g.rec.RefusedSince = now
	}
	g.rec.CredentialHash, g.rec.NextProbeAt, g.rec.Detail = hash, now.Add(g.o.RefusedRetry), ""
	if said, ok := errors.AsType[*upload.Refusal](f); ok {
		g.rec.Detail = said.Message
	}
	g.mu.Unlock()
	g.keep(ctx)
}

func (g *Gate) isProven(hash string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return hash != "" && g.proven == hash
}

// refused reports whether these very credentials were refused; it needs mu.
func (g *Gate) refused(hash string) bool {
	return !g.rec.RefusedSince.IsZero() && g.rec.CredentialHash == hash
}

// probeAt is when these credentials may be used; it needs mu.
func (g *Gate) probeAt(hash string, now time.Time) time.Time {
	if !g.refused(hash) {
		return now
	}
	at := g.rec.NextProbeAt
	if g.rec.RefusalDay == g.day(now) && g.rec.RefusalsToday >= g.o.RefusedPerDay {
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
