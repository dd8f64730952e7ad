package pipeline

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Crew says which lanes run a stage.
type Crew int

// The crews.
const (
	// Light stages look and ask; they take milliseconds.
	Light Crew = iota
	// Heavy stages move bytes; CONCURRENCY limits them.
	Heavy
)

// Stage is one step of the way, starting from one state.
type Stage struct {
	Name string
	From upload.State
	Crew Crew
	// Run does the work for one upload. It must be safe for concurrent use and
	// may be called again for the same upload after any crash.
	Run func(ctx context.Context, u upload.Upload) (upload.Outcome, error)
	// Open reports whether the stage may run for the channel now (paused,
	// refused …); nil: always. Call Wake when the answer changes.
	Open func(ch upload.Channel) bool
}

// Journal is what the pipeline needs of the durable record.
type Journal interface {
	Claim(ctx context.Context, c journal.Claim) (upload.Upload, bool, error)
	NextDue(ctx context.Context, ch upload.Channel, states []upload.State) (time.Time, bool, error)
	Record(ctx context.Context, u upload.Upload, o upload.Outcome, now time.Time, keep bool) (upload.Upload, error)
	Renew(ctx context.Context, u upload.Upload, until time.Time) error
	Release(ctx context.Context, u upload.Upload) error
}

// Observer is told of every stage that runs. The returned function is called
// once, with the upload as it then is; err is the stage's fault, if any.
type Observer interface {
	StageBegan(ctx context.Context, u upload.Upload, stage string) (context.Context, func(after upload.Upload, o upload.Outcome, err error))
}

// Options configure a Pipeline. Journal, Stages and Channels are required.
type Options struct {
	Journal     Journal
	Stages      []Stage
	Channels    []upload.Channel
	Owner       string // who claims: unique per process
	Concurrency int    // heavy lanes per channel; light ones are as many, but at least 2
	Lease       time.Duration
	Backoff     upload.Backoff
	LocalPause  time.Duration // between looks at a local fault
	Observer    Observer
	// Recorded is called after every outcome that was recorded; it must not block.
	Recorded func(stage string, before, after upload.Upload)
	// Faulted is called after every fault of a stage; it must not block.
	Faulted func(stage string, u upload.Upload, f *upload.Fault)
	Logger  *slog.Logger
	Now     func() time.Time
}

// Pipeline moves uploads from stage to stage. Make one with New; Run it once.
type Pipeline struct {
	Options
	crews map[crewKey]*crew

	mu      sync.Mutex
	running map[upload.ID]*run
	beat    map[crewKey]time.Time // last time a lane of the crew was seen moving
}

type crewKey struct {
	channel upload.Channel
	crew    Crew
}

type crew struct {
	crewKey
	stages map[upload.State]Stage
	lanes  int
	wake   chan struct{}
}

// New makes a pipeline. Missing options get their defaults: lease 30 s, local
// pause 5 s, two lanes, no observer.
func New(o Options) *Pipeline {
	if o.Lease <= 0 {
		o.Lease = 30 * time.Second
	}
	if o.LocalPause <= 0 {
		o.LocalPause = 5 * time.Second
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 2
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	if o.Recorded == nil {
		o.Recorded = func(string, upload.Upload, upload.Upload) {}
	}
	if o.Faulted == nil {
		o.Faulted = func(string, upload.Upload, *upload.Fault) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Pipeline{
		Options: o, crews: map[crewKey]*crew{},
		running: map[upload.ID]*run{}, beat: map[crewKey]time.Time{},
	}
	for _, ch := range o.Channels {
		p.addCrew(ch, Heavy, o.Concurrency)
		p.addCrew(ch, Light, max(2, o.Concurrency))
	}
	return p
}

func (p *Pipeline) addCrew(ch upload.Channel, kind Crew, lanes int) {
	c := &crew{crewKey: crewKey{ch, kind}, stages: map[upload.State]Stage{}, lanes: lanes, wake: make(chan struct{}, 1)}
	for _, s := range p.Stages {
		if s.Crew == kind {
			c.stages[s.From] = s
		}
	}
	if len(c.stages) > 0 {
		p.crews[c.crewKey] = c
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

// Run works until ctx ends, and returns when every lane has stopped and every
// result is recorded. Whoever wants running stages cut short within a budget
// ends ctx; stages see it at once.
func (p *Pipeline) Run(ctx context.Context) {
	var lanes sync.WaitGroup
	for _, c := range p.crews {
		for range c.lanes {
			lanes.Go(func() { p.lane(ctx, c) })
		}
	}
	lanes.Wait()
}

// Wake makes the lanes of a channel look for work at once.
func (p *Pipeline) Wake(ch upload.Channel) {
	for _, kind := range []Crew{Light, Heavy} {
		if c, ok := p.crews[crewKey{ch, kind}]; ok {
			c.signal()
		}
	}
}

// Interrupt ends the running stage of an upload, if one runs in this process:
// an operator has decided otherwise.
func (p *Pipeline) Interrupt(id upload.ID, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok := p.running[id]; ok {
		r.cancel(cause)
	}
}

// Nudge says that it is worth looking at an upload again now. If its stage runs
// at this moment and ends by holding, it runs once more instead: what it saw may
// be older than the nudge. It reports whether the stage runs; if not, the
// journal has to be told.
func (p *Pipeline) Nudge(id upload.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.running[id]
	if ok {
		r.nudged = true
	}
	return ok
}

// run is a stage at work in this process.
type run struct {
	cancel context.CancelCauseFunc
	nudged bool
}

// LastBeat is the oldest of the crews' last signs of life; zero if a crew has
// not shown one yet. A crew whose every lane is busy in a stage counts as
// alive: stages watch their own progress.
func (p *Pipeline) LastBeat() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	var oldest time.Time
	for key := range p.crews {
		at, ok := p.beat[key]
		if !ok {
			return time.Time{}
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

func (c *crew) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

type nobody struct{}

func (nobody) StageBegan(ctx context.Context, _ upload.Upload, _ string) (context.Context, func(upload.Upload, upload.Outcome, error)) {
	return ctx, func(upload.Upload, upload.Outcome, error) {}
}
