package watch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Ledger is where sightings are written down; the journal.
type Ledger interface {
	// SpotAll tells of files, and has an answer for each; it may be told the same
	// any number of times.
	SpotAll(ctx context.Context, all []upload.Sighting) []upload.Spotted
	// Foretell says what SpotAll would say of one, and changes nothing; the upload is
	// zero where one would begin.
	Foretell(ctx context.Context, s upload.Sighting) (upload.Upload, upload.Spotting, error)
}

// Options configure a Watcher. Channel, Dir, Kinds and Ledger must be given.
type Options struct {
	Channel upload.Channel
	Dir     Directory
	Kinds   func(name string) (upload.Kind, bool) // what kind of file of this channel name is
	Ledger  Ledger
	Rescan  time.Duration // 0: 30 s
	// NoEvents leaves it all to the rescan.
	NoEvents bool
	// Looks is how many of the known files a rescan looks at where events can be
	// trusted, or an eighth of them where that is more; 0: 16,384.
	Looks  int
	Logger *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now

	// Began is called for each upload that began. Nudge is called when the file of an
	// open upload was closed or renamed into place, or its marker appeared, at
	// most every 20 ms per file and less often when it goes on; the receiver
	// passes over uploads that have settled. Both are called from the watch's own goroutine
	// and must not block for long; nil: nobody is told.
	Began func(u upload.Upload)
	Nudge func(ch upload.Channel, filename string)
}

// ErrStopped is returned by Scan when the watcher is not running any more.
var ErrStopped = errors.New("the watch has stopped")

// Watcher watches one directory. Its methods may be called from anywhere, also
// before Run.
type Watcher struct {
	opts    Options
	signal  chan struct{} // capacity 1: notes were left
	stopped chan struct{}

	mu       sync.Mutex
	status   Status
	renamed  map[string]upload.Identity
	released map[string]struct{}
	requests []*request
}

// New makes a Watcher; Run makes it work.
func New(o Options) *Watcher {
	if o.Rescan <= 0 {
		o.Rescan = 30 * time.Second
	}
	if o.Looks <= 0 {
		o.Looks = looks
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Began == nil {
		o.Began = func(upload.Upload) {}
	}
	if o.Nudge == nil {
		o.Nudge = func(upload.Channel, string) {}
	}
	return &Watcher{
		opts: o, signal: make(chan struct{}, 1), stopped: make(chan struct{}),
		status:   Status{Path: o.Dir.Path(), Events: EventsOff},
		renamed:  map[string]upload.Identity{},
		released: map[string]struct{}{},
	}
}

// Run watches until ctx ends, and returns nil. It must be called once. Nothing
// that happens to the directory or the journal ends it.
func (w *Watcher) Run(ctx context.Context) error {
	defer close(w.stopped)
	o := newOwner(w)
	defer o.disarm()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(o.nextDue().Sub(o.now()))
		select {
		case <-ctx.Done():
		case e := <-o.events():
			o.take(e)
		case <-w.signal:
			o.takeNotes()
		case <-timer.C:
			o.takeAll()
			o.step(ctx)
		}
	}
	return nil
}

// RenamedIntoPlace reports whether the file that has identity id got its name by
// a rename from a temporary name in the same directory and was not closed by a
// writer since. False when in doubt.
func (w *Watcher) RenamedIntoPlace(name string, id upload.Identity) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, ok := w.renamed[name]
	return ok && was == id
}

// Released tells that an upload of this file name ended, so that what stands
// there now is looked at again. It does not block.
func (w *Watcher) Released(name string) {
	w.mu.Lock()
	w.released[name] = struct{}{}
	w.mu.Unlock()
	w.notify()
}

func (w *Watcher) notify() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (w *Watcher) hint(name string, id upload.Identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.renamed[name] = id
}

func (w *Watcher) dropHint(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.renamed, name)
}

func (w *Watcher) dropHints() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.renamed)
}
