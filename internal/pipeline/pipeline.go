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
	// Light stages look; they take milliseconds.
	Light Crew = iota
	// Heavy stages move bytes; CONCURRENCY limits them.
	Heavy
	// Asking stages ask the server, which may take long to answer, and do what
	// follows from its word. They hold neither bytes nor much memory, so that
	// there are many lanes: a thousand uploads at a slow server must not wait for
	// each other's answers.
	Asking
)

// leastAsking is how many lanes ask at least: a thousand uploads whose server
// takes a second for an answer are asked about once a minute.
const leastAsking = 16

// Stage is one step of the way, starting from one state.
type Stage struct {
	Name string
	From upload.State
	Crew Crew
	// Run does the work for one upload. It must be safe for concurrent use and
	// may be called again for the same upload after any crash.
	Run func(ctx context.Context, u upload.Upload) (upload.Outcome, error)
	// Joins reports whether what the stage makes of u costs so little to make again
	// that it may be recorded together with the outcome of the stage after it, where
	// that is the same lane's; nil: never.
	Joins func(u upload.Upload) bool
	// Open reports whether the stage may run for the channel now (paused,
	// refused …); nil: always. Call Wake when the answer changes.
	Open func(ch upload.Channel) bool
	// Overtaken reports whether what u waits for since the stage ran has come about
	// already, so that whoever wakes those that wait may have missed it. It is asked
	// after each pause that was recorded; nil: never.
	Overtaken func(ctx context.Context, u upload.Upload) bool
}

// Journal is what the pipeline needs of the durable record.
type Journal interface {
	ClaimSome(ctx context.Context, c journal.Claim, most int) ([]upload.Upload, error)
	NextDue(ctx context.Context, ch upload.Channel, states []upload.State) (time.Time, bool, error)
	RecordAll(ctx context.Context, u upload.Upload, all []upload.Outcome, now time.Time, keep bool) (upload.Upload, error)
	Renew(ctx context.Context, u upload.Upload, until time.Time) error
	Release(ctx context.Context, u upload.Upload) error
	Touch(ctx context.Context, id upload.ID, now time.Time) error
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
	Concurrency int    // heavy lanes per channel; light ones are as many, but at least 2; see also Asking
	Lease       time.Duration
	Backoff     upload.Backoff
	LocalPause  time.Duration // between looks at a local fault
	// Urgent lists the kinds of a channel that are to go first; nil: none. One
	// claim of four goes by age alone, so that the others never starve.
	Urgent   func(ch upload.Channel) []upload.Kind
	Observer Observer
	// Recorded is called after every outcome that was recorded; it must not block.
	Recorded func(stage string, before, after upload.Upload)
	// Faulted is called after every fault of a stage; it must not block.
	Faulted func(stage string, u upload.Upload, f *upload.Fault)
	// Moment is the journal's present one; nil: that is never known. It must not block.
	Moment func() journal.Moment
	Logger *slog.Logger
	// Now is the journal's clock, by which rows are due and leases run out; nil:
	// time.Now. It may be another machine's.
	Now func() time.Time
}

// Pipeline moves uploads from stage to stage. Make one with New; Run it once.
type Pipeline struct {
	Options
	crews map[crewKey]*crew

	mu      sync.Mutex
	running map[upload.ID]*run
	beat    map[crewKey]time.Time // last time a lane of the crew was seen moving, with a steady reading
}

type crewKey struct {
	channel upload.Channel
	crew    Crew
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
	if o.Moment == nil {
		o.Moment = func() journal.Moment { return journal.Moment{} }
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
		p.addCrew(ch, Asking, max(leastAsking, 2*o.Concurrency))
	}
	return p
}

func (p *Pipeline) addCrew(ch upload.Channel, kind Crew, lanes int) {
	c := newCrew(crewKey{ch, kind}, lanes)
	c.ring = func() { p.ring(c) }
	for _, s := range p.Stages {
		if s.Crew == kind {
			c.stages[s.From] = s
		}
	}
	if len(c.stages) > 0 {
		p.crews[c.crewKey] = c
	}
}

// Run works until ctx ends, and returns when every lane has stopped and every
// result is recorded. Whoever wants running stages cut short within a budget
// ends ctx; stages see it at once.
func (p *Pipeline) Run(ctx context.Context) {
	var lanes sync.WaitGroup
	for _, c := range p.crews {
		c.signal() // what is there at the start
		for range c.lanes {
			lanes.Go(func() { p.lane(ctx, c) })
		}
	}
	lanes.Wait()
	for _, c := range p.crews {
		c.aside.Wait()
	}
	for _, c := range p.crews {
		p.dismissCrew(c)
	}
}

// Wake makes the lanes of a channel look for work at once.
func (p *Pipeline) Wake(ch upload.Channel) {
	for _, kind := range []Crew{Light, Heavy, Asking} {
		if c, ok := p.crews[crewKey{ch, kind}]; ok {
			c.signal()
		}
	}
}

// Passed tells of an upload that took a stage's step by another's hand, as one does
// whose file is complete at sight: it is told of like any other, and gone on with.
func (p *Pipeline) Passed(before, after upload.Upload, o upload.Outcome) {
	if stage, ok := p.stageFrom(before.State); ok {
		_, ended := p.Observer.StageBegan(context.Background(), before, stage.Name)
		ended(after, o, nil)
		p.announce(stage, before, after, o)
	}
	p.Follow(after)
}

func (p *Pipeline) stageFrom(from upload.State) (Stage, bool) {
	i := slices.IndexFunc(p.Stages, func(s Stage) bool { return s.From == from })
	if i < 0 {
		return Stage{}, false
	}
	return p.Stages[i], true
}

// Follow makes the crew whose stage is next look when u is due.
func (p *Pipeline) Follow(u upload.Upload) {
	for _, kind := range []Crew{Light, Heavy, Asking} {
		c, ok := p.crews[crewKey{u.Channel, kind}]
		if !ok || !c.runs(u.State) {
			continue
		}
		if wait := u.NextAttemptAt.Sub(p.Now()); wait > 0 {
			c.signalIn(wait)
		} else {
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
// be older than the nudge. If that is being recorded, it is due at once. It reports
// whether either is so; if not, the journal has to be told.
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
	tenure *tenure // whose
	over   chan struct{}
	cancel context.CancelCauseFunc
	nudged bool
	lost   bool // another lane has the upload
}

// LastBeat is the oldest of the crews' last signs of life; zero if a crew has
// not shown one yet. It is of the process's own clock, whatever the journal's shows,
// and time.Since goes by its steady reading. A crew whose every lane is busy in a stage shows one with
// each renewal of a lease: stages watch their own progress.
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

type nobody struct{}

func (nobody) StageBegan(ctx context.Context, _ upload.Upload, _ string) (context.Context, func(upload.Upload, upload.Outcome, error)) {
	return ctx, func(upload.Upload, upload.Outcome, error) {}
}
