package pipeline

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// crew is the lanes of one kind of one channel. Its lanes do not look for work
// each by itself: whoever is first asks the journal for as many uploads as lanes
// are out of work, and hands the others theirs. So one question serves all, and
// one that finds nothing is asked once.
type crew struct {
	crewKey
	stages map[upload.State]Stage
	lanes  int

	look   chan struct{} // capacity 1: there may be something to claim
	handed chan *claimed // capacity lanes: claimed for a lane that is out of work
	free   atomic.Int32  // lanes out of work, those that wait for what is handed among them

	asking    atomic.Bool    // somebody will ask what is due next
	finishing chan struct{}  // capacity lanes: outcomes that are being recorded, which no lane waits for
	aside     sync.WaitGroup // of both

	turn     atomic.Uint32 // of claims: some go by age alone
	claiming sync.Mutex    // held from counting the free lanes to handing out

	mu    sync.Mutex
	ring  func()      // what the alarm does
	alarm *time.Timer // rings at due; nil: not set
	due   time.Time
	found emptiness // at the latest look
}

// emptiness is what a look found that found nothing, and that nothing will be due.
type emptiness struct {
	at     journal.Moment // before the look
	states []upload.State // that were looked for
	rested int            // how often a look was left out since
}

// claimed is an upload under a lease of ours.
type claimed struct {
	upload.Upload
	until time.Time
}

func newCrew(key crewKey, lanes int) *crew {
	return &crew{
		crewKey: key, stages: map[upload.State]Stage{}, lanes: lanes,
		look: make(chan struct{}, 1), handed: make(chan *claimed, lanes), finishing: make(chan struct{}, lanes),
	}
}

// open lists the states the crew may claim now.
func (c *crew) open() []upload.State {
	var states []upload.State
	for from, s := range c.stages {
		if s.Open == nil || s.Open(c.channel) {
			states = append(states, from)
		}
	}
	slices.Sort(states)
	return states
}

// runs reports whether the crew may go on with an upload in state.
func (c *crew) runs(state upload.State) bool {
	s, ok := c.stages[state]
	return ok && (s.Open == nil || s.Open(c.channel))
}

// finish does what is left to be done about an upload. The lane need not wait for it:
// most of it is waiting for the journal, meanwhile it can work on the next upload. As
// many are waited for as there are lanes.
func (c *crew) finish(rest func()) {
	select {
	case c.finishing <- struct{}{}:
		c.aside.Go(func() {
			defer func() { <-c.finishing }()
			rest()
		})
	default:
		rest()
	}
}

// signal makes a lane that is, or comes, out of work look into the journal.
func (c *crew) signal() {
	select {
	case c.look <- struct{}{}:
	default:
	}
}

// mostRested is how many looks in a row are left out. None of them should find
// anything: this is for what nobody thought of.
const mostRested = 20

// stays reports whether a look would find as little as the latest one did.
func (c *crew) stays(now journal.Moment) bool {
	states := c.open() // asks others: not under the lock
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &c.found
	if !now.Same(f.at) || f.rested >= mostRested || c.free.Load() == 0 || !slices.Equal(states, f.states) {
		return false
	}
	f.rested++
	return true
}

// finds keeps what a look has found.
func (c *crew) finds(f emptiness) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = f
}

// ring has a lane look into the journal, unless it is known to hold nothing: then
// no lane is woken, and nothing touched.
func (p *Pipeline) ring(c *crew) {
	if c.stays(p.Moment()) {
		p.alive(c)
		c.signalIn(min(idleLook, p.Lease/2))
		return
	}
	c.signal()
}

// signalIn rings after d, unless that is to happen earlier anyway.
func (c *crew) signalIn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := time.Now().Add(d)
	if c.alarm != nil {
		if !c.due.After(due) {
			return
		}
		c.alarm.Stop()
	}
	c.due = due
	var own *time.Timer
	own = time.AfterFunc(d, func() {
		c.mu.Lock()
		if c.alarm == own {
			c.alarm = nil
		}
		c.mu.Unlock()
		c.ring()
	})
	c.alarm = own
}

// next waits for an upload for a lane; nil: ctx has ended. It gives a pointer, as
// a waiting lane's stack is to be small: there are many, and most of them wait.
func (p *Pipeline) next(ctx context.Context, c *crew) *claimed {
	c.free.Add(1)
	defer c.free.Add(-1)
	for {
		select {
		case x := <-c.handed: // rather than asking
			return x
		default:
		}
		select {
		case <-ctx.Done():
			return nil
		case x := <-c.handed:
			return x
		case <-c.look:
		}
		if ctx.Err() != nil { // both came at once
			return nil
		}
		p.alive(c)
		if x := p.claim(ctx, c); x != nil {
			return x
		}
	}
}

// byAge is how often a claim goes by age alone.
const byAge = 4

// first is what goes first in the next claim.
func (p *Pipeline) first(c *crew) []upload.Kind {
	if p.Urgent == nil || c.turn.Add(1)%byAge == 0 {
		return nil
	}
	return p.Urgent(c.channel)
}

// claim claims for all lanes that are out of work, and gives the first of what
// it got to the caller; nil: there was nothing.
func (p *Pipeline) claim(ctx context.Context, c *crew) *claimed {
	c.claiming.Lock()
	defer c.claiming.Unlock()
	select {
	case x := <-c.handed: // by whoever claimed meanwhile, who counted this lane
		c.signal()
		return x
	default:
	}
	states, most := c.open(), max(1, int(c.free.Load())-len(c.handed))
	idle := min(idleLook, p.Lease/2)
	if len(states) == 0 {
		c.signalIn(idle)
		return nil
	}
	c.finds(emptiness{})
	at, now := p.Moment(), p.Now()
	got, err := p.Journal.ClaimSome(ctx, journal.Claim{Channel: c.channel, States: states, First: p.first(c), Owner: p.Owner, Lease: p.Lease, Now: now}, most)
	if err != nil {
		if ctx.Err() == nil {
			p.Logger.Warn("journal does not answer, will try again", slog.String("channel", string(c.channel)), slog.Any("error", err))
			c.signalIn(journalPause)
		}
		return nil
	}
	switch len(got) {
	case 0:
		wait, none := p.untilDue(ctx, c, states)
		if none {
			c.finds(emptiness{at: at, states: states})
		}
		c.signalIn(wait)
		return nil
	case most:
		c.signal() // there may be more, for whoever is next out of work
	default:
		p.askSoon(ctx, c, states)
	}
	for _, u := range got[1:] {
		c.handed <- &claimed{u, now.Add(p.Lease)}
	}
	return &claimed{got[0], now.Add(p.Lease)}
}

// askAfter is how long after a claim the journal is asked what is due next: the
// claims of a busy moment share the question, and none of them waits for it.
const askAfter = 20 * time.Millisecond

// askSoon sets the crew's alarm for what is due next.
func (p *Pipeline) askSoon(ctx context.Context, c *crew, states []upload.State) {
	if !c.asking.CompareAndSwap(false, true) {
		return
	}
	c.aside.Go(func() {
		select {
		case <-ctx.Done():
		case <-time.After(askAfter):
			c.asking.Store(false)
			wait, _ := p.untilDue(ctx, c, states)
			c.signalIn(wait)
		}
	})
}

// untilDue is how long it takes until something is due, as far as is known; none:
// there is nothing that will be.
func (p *Pipeline) untilDue(ctx context.Context, c *crew, states []upload.State) (wait time.Duration, none bool) {
	idle := min(idleLook, p.Lease/2)
	due, found, err := p.Journal.NextDue(ctx, c.channel, states)
	if err != nil {
		return journalPause, false
	}
	if !found {
		return idle, true
	}
	return min(max(due.Sub(p.Now()), 0), idle), false
}

// dismissCrew gives back what was handed to lanes that have ended.
func (p *Pipeline) dismissCrew(c *crew) {
	c.mu.Lock()
	if c.alarm != nil {
		c.alarm.Stop()
	}
	c.mu.Unlock()
	for {
		select {
		case x := <-c.handed:
			record, cancel := context.WithTimeout(context.Background(), recordBudget)
			_ = p.Journal.Release(record, x.Upload) // else its lease runs out
			cancel()
		default:
			return
		}
	}
}
