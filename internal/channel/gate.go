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
// (UTC by default). Reopened, Refused, Changed, Logger and Now may be nil.
type Options struct {
	Channel upload.Channel
	Store   Store
	// Shared says that other processes write the same record: it is read before
	// it is relied on.
	Shared bool
	// Turn waits for the one right, among all processes, to try credentials that
	// are not proven; nil: this process is alone.
	Turn func(ctx context.Context) (release func(), err error)
	// CredentialHash names the credentials as they are now; empty: none.
	CredentialHash func() string
	RefusedRetry   time.Duration
	RefusedPerDay  int
	Location       *time.Location
	// Reopened wakes the uploads that wait for one of these reasons.
	Reopened func(ctx context.Context, ch upload.Channel, waiting []upload.Reason)
	// Refused is told each time that the server refuses the credentials; it must not
	// block.
	Refused func()
	// Changed is told each new state.
	Changed func(s Status)
	Logger  *slog.Logger
	// Now is the clock of the record: where it is shared, one for all processes.
	Now func() time.Time
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

// Load reads what the store knows: once, or at every call where the record is
// shared; an error leaves it to be tried again.
func (g *Gate) Load(ctx context.Context) error {
	g.mu.Lock()
	loaded := g.loaded && !g.o.Shared
	g.mu.Unlock()
	if loaded {
		return nil
	}
	g.saving.Lock()
	err := g.read(ctx)
	g.saving.Unlock()
	if err != nil {
		return err
	}
	g.announce()
	return nil
}

// read takes over the store's record; it needs saving.
func (g *Gate) read(ctx context.Context) error {
	r, err := g.o.Store.Channel(ctx, g.o.Channel)
	if err != nil {
		return upload.LocalFaultOf(upload.JournalUnavailable, "read the channel's record", err)
	}
	r.Channel = g.o.Channel
	g.mu.Lock()
	g.rec, g.loaded = r, true
	g.mu.Unlock()
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
	return g.closedBy(&g.rec, hash, now)
}

// closedBy says what a record closes; it needs mu.
func (g *Gate) closedBy(r *Record, hash string, now time.Time) *upload.Closed {
	switch {
	case r.Paused:
		return &upload.Closed{Reason: upload.ChannelPaused, For: longWait}
	case hash == "":
		g.missing = true
		return &upload.Closed{Reason: upload.CredentialsMissing, For: longWait}
	}
	if wait := g.probeAt(r, hash, now).Sub(now); wait > 0 {
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
	err := g.change(ctx, func(r *Record) error {
		if paused == r.Paused {
			return nil
		}
		r.Paused, r.PausedBy, r.PausedAt = paused, by, time.Time{}
		if paused {
			r.PausedAt = g.o.Now().UTC()
		}
		return nil
	})
	if err != nil {
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
	return g.status(&g.rec, hash)
}

// status is what a record amounts to; it needs mu.
func (g *Gate) status(r *Record, hash string) Status {
	s := Status{
		Channel: g.o.Channel, State: OK, PausedBy: r.PausedBy, PausedAt: r.PausedAt,
		RefusedSince: r.RefusedSince, OfflineSince: g.offline.since,
	}
	if refused(r, hash) {
		s.NextProbeAt, s.ServerMessage = g.probeAt(r, hash, g.o.Now()).UTC(), r.Detail
	}
	switch {
	case hash == "":
		s.State, s.Reason = Unconfigured, upload.CredentialsMissing
	case r.Paused:
		s.State, s.Reason = Paused, upload.ChannelPaused
	case g.blocked.is():
		s.State, s.Reason, s.Detail = Blocked, g.blocked.reason, g.blocked.detail
	case refused(r, hash):
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
	s := g.status(&g.rec, hash)
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

// changeTries bounds how often a change is made anew since others were faster.
const changeTries = 10

// change edits the record and saves it. Where another process was faster, the
// edit is made again on what that one wrote, so that neither is lost. An error of
// the edit ends it. The edit is called under mu, perhaps several times.
func (g *Gate) change(ctx context.Context, edit func(r *Record) error) error {
	g.saving.Lock()
	defer g.saving.Unlock()
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		if g.o.Shared || try > 1 {
			if err := g.read(ctx); err != nil {
				return err
			}
		}
		r, err := g.edited(edit)
		if err != nil {
			return err
		}
		err = g.o.Store.SaveChannel(ctx, r)
		if err == nil {
			r.Seen = r.UpdatedAt
			g.mu.Lock()
			g.rec = r
			g.mu.Unlock()
			return nil
		}
		if !errors.Is(err, ErrConflict) || try == changeTries {
			return fmt.Errorf("save channel: %w", err)
		}
	}
}

func (g *Gate) edited(edit func(r *Record) error) (Record, error) {
	hash := g.o.CredentialHash()
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.rec
	if err := edit(&r); err != nil {
		return r, err
	}
	s := g.status(&r, hash)
	r.State, r.Reason, r.UpdatedAt = string(s.State), s.Reason, g.o.Now().UTC()
	if !r.UpdatedAt.After(r.Seen) {
		r.UpdatedAt = r.Seen.Add(1)
	}
	return r, nil
}

// keep is change where the caller goes on without it: the edit then holds in
// this process alone.
func (g *Gate) keep(ctx context.Context, edit func(r *Record)) {
	err := g.change(ctx, func(r *Record) error { edit(r); return nil })
	if err == nil {
		return
	}
	g.mu.Lock()
	edit(&g.rec)
	g.mu.Unlock()
	g.o.Logger.Error("channel record not saved", "channel", g.o.Channel, "error", err)
}

func isOver(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
