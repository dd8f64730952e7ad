package channel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// longWait is how long uploads of a closed channel wait when only somebody's
// act can open it; that act wakes them earlier.
const longWait = time.Hour

// Options are a gate's surroundings. Location is the one whose days are counted
// (UTC by default). Reopened, Changed, Logger and Now may be nil.
type Options struct {
	Channel upload.Channel
	Store   Store
	// CredentialHash names the credentials as they are now; empty: none.
	CredentialHash func() string
	RefusedRetry   time.Duration
	RefusedPerDay  int
	Location       *time.Location
	// Reopened wakes the uploads that wait for one of these reasons.
	Reopened func(ctx context.Context, ch upload.Channel, waiting []upload.Reason)
	// Changed is told each new state.
	Changed func(s Status)
	Logger  *slog.Logger
	Now     func() time.Time
}

// Gate is the gate of one channel. Its methods may be called concurrently.
type Gate struct {
	o    Options
	turn chan struct{} // held while unproven credentials are tried

	saving sync.Mutex // one writer; it writes the latest

	mu      sync.Mutex
	loaded  bool
	rec     Record
	proven  string // hash of credentials the server took
	offline trouble
	blocked trouble
	shown   State
	missing bool // somebody was told that there are no credentials
}

// trouble is why a channel is offline or blocked; the zero value: it is not.
type trouble struct {
	since  time.Time
	reason upload.Reason
	detail string
}

func (t trouble) is() bool { return t.reason != "" }

// New makes a gate. Load it before the first use; an unloaded gate loads itself
// when it is first asked.
func New(o Options) *Gate {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	return &Gate{o: o, turn: make(chan struct{}, 1), rec: Record{Channel: o.Channel}, shown: OK}
}

// Load reads what the store knows. It does so once; an error leaves it to be
// tried again.
func (g *Gate) Load(ctx context.Context) error {
	g.mu.Lock()
	loaded := g.loaded
	g.mu.Unlock()
	if loaded {
		return nil
	}
	r, err := g.o.Store.Channel(ctx, g.o.Channel)
	if err != nil {
		return upload.LocalFaultOf(upload.JournalUnavailable, "read the channel's record", err)
	}
	g.mu.Lock()
	if !g.loaded {
		r.Channel = g.o.Channel
		g.rec, g.loaded = r, true
	}
	g.mu.Unlock()
	g.announce()
	return nil
}

// Ready is nil when a delivery may begin now, else *upload.Closed (or a fault
// of the store).
func (g *Gate) Ready(ctx context.Context) error {
	if err := g.Load(ctx); err != nil {
		return err
	}
	hash, now := g.o.CredentialHash(), g.o.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.closed(hash, now); c != nil {
		return c
	}
	return nil
}

// closed needs mu.
func (g *Gate) closed(hash string, now time.Time) *upload.Closed {
	switch {
	case g.rec.Paused:
		return &upload.Closed{Reason: upload.ChannelPaused, For: longWait}
	case hash == "":
		g.missing = true
		return &upload.Closed{Reason: upload.CredentialsMissing, For: longWait}
	}
	if wait := g.probeAt(hash, now).Sub(now); wait > 0 {
		return &upload.Closed{Reason: upload.CredentialsRefused, For: wait}
	}
	return nil
}

// Pause closes the channel until Resume, over restarts.
func (g *Gate) Pause(ctx context.Context, by string) error {
	return g.setPaused(ctx, true, by)
}

// Resume opens a paused channel and wakes what waits.
func (g *Gate) Resume(ctx context.Context) error {
	if err := g.setPaused(ctx, false, ""); err != nil {
		return err
	}
	g.wake(ctx, upload.ChannelPaused)
	return nil
}

func (g *Gate) setPaused(ctx context.Context, paused bool, by string) error {
	if err := g.Load(ctx); err != nil {
		return err
	}
	g.mu.Lock()
	before := g.rec
	if paused != before.Paused {
		g.rec.Paused, g.rec.PausedBy, g.rec.PausedAt = paused, by, time.Time{}
		if paused {
			g.rec.PausedAt = g.o.Now().UTC()
		}
	}
	g.mu.Unlock()
	if err := g.save(ctx); err != nil {
		g.mu.Lock()
		g.rec.Paused, g.rec.PausedBy, g.rec.PausedAt = before.Paused, before.PausedBy, before.PausedAt
		g.mu.Unlock()
		return upload.LocalFaultOf(upload.JournalUnavailable, "keep the channel's record", err)
	}
	g.announce()
	return nil
}

// Block says that our surroundings hold the channel up. An empty reason says
// that they no longer do.
func (g *Gate) Block(r upload.Reason, detail string) {
	g.mu.Lock()
	switch {
	case r == "":
		g.blocked = trouble{}
	case g.blocked.reason != r || g.blocked.detail != detail:
		g.blocked = trouble{since: g.o.Now().UTC(), reason: r, detail: detail}
	}
	g.mu.Unlock()
	g.announce()
}

// Status is the standing now.
func (g *Gate) Status() Status {
	hash := g.o.CredentialHash()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.status(hash)
}

// status needs mu.
func (g *Gate) status(hash string) Status {
	s := Status{
		Channel: g.o.Channel, State: OK, PausedBy: g.rec.PausedBy, PausedAt: g.rec.PausedAt,
		RefusedSince: g.rec.RefusedSince, OfflineSince: g.offline.since,
	}
	if g.refused(hash) {
		s.NextProbeAt, s.ServerMessage = g.probeAt(hash, g.o.Now()).UTC(), g.rec.Detail
	}
	switch {
	case hash == "":
		s.State, s.Reason = Unconfigured, upload.CredentialsMissing
	case g.rec.Paused:
		s.State, s.Reason = Paused, upload.ChannelPaused
	case g.blocked.is():
		s.State, s.Reason, s.Detail = Blocked, g.blocked.reason, g.blocked.detail
	case g.refused(hash):
		s.State, s.Reason = Refused, upload.CredentialsRefused
	case g.offline.is():
		s.State, s.Reason, s.Detail = Offline, g.offline.reason, g.offline.detail
	}
	return s
}

// announce tells a new state to whoever listens.
func (g *Gate) announce() {
	hash := g.o.CredentialHash()
	g.mu.Lock()
	s := g.status(hash)
	news := s.State != g.shown
	g.shown = s.State
	g.mu.Unlock()
	if !news {
		return
	}
	level := slog.LevelWarn // nothing is delivered until somebody or something acts
	if s.State == OK || s.State == Paused {
		level = slog.LevelInfo
	}
	g.o.Logger.Log(context.Background(), level, "channel changed", "channel", s.Channel, "state", s.State, "reason", s.Reason)
	if g.o.Changed != nil {
		g.o.Changed(s)
	}
}

func (g *Gate) wake(ctx context.Context, waiting ...upload.Reason) {
	if g.o.Reopened != nil {
		g.o.Reopened(context.WithoutCancel(ctx), g.o.Channel, waiting)
	}
}

// save writes the record as it is when its turn comes.
func (g *Gate) save(ctx context.Context) error {
	g.saving.Lock()
	defer g.saving.Unlock()
	hash := g.o.CredentialHash()
	g.mu.Lock()
	s := g.status(hash)
	r := g.rec
	r.State, r.Reason, r.UpdatedAt = string(s.State), s.Reason, g.o.Now().UTC()
	g.mu.Unlock()
	if err := g.o.Store.SaveChannel(context.WithoutCancel(ctx), r); err != nil {
		return fmt.Errorf("save channel: %w", err)
	}
	return nil
}

// keep is save where the caller goes on without it.
func (g *Gate) keep(ctx context.Context) {
	if err := g.save(ctx); err != nil {
		g.o.Logger.Error("channel record not saved", "channel", g.o.Channel, "error", err)
	}
}

func isOver(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
