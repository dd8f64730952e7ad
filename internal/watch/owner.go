package watch

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// gatherFor is how long an event waits for its companions: a create is often
	// followed by a close.
	gatherFor = 2 * time.Millisecond
	// Files found with no longer pause between them than burstGap are a batch,
	// for at most burstMost.
	burstGap  = time.Second
	burstMost = 30 * time.Second
	// recheckAfter is how many rescans an open upload's file is left unasked for.
	recheckAfter = 10
	recheckMost  = 1000 // asked again in one rescan
)

// file is what is known of one file of ours: 64 bytes, which the memory gives at once.
type file struct {
	id      upload.Identity
	scan    atomic.Int64 // the latest scan that met it
	open    bool         // an open upload of it exists
	waits   bool         // something of it is in line for the ledger
	checked age          // when the ledger was last asked
}

// age is a moment, counted from when the watch began.
type age time.Duration

func (o *owner) age(at time.Time) age { return age(at.Sub(o.began)) }

// meet notes that a scan meets the file; false: it did before, for a directory that
// changes may list a name twice.
func (f *file) meet(scan int64) bool { return f.scan.Swap(scan) != scan }

// touch is what events said of a file since it was last looked at.
type touch struct {
	renamed bool // from a temporary name, and not closed by a writer since
	nudge   bool // settling may be possible now
}

// owner is everything that belongs to Run's goroutine alone.
type owner struct {
	*Watcher
	began   time.Time
	known   map[string]*file
	pending queue
	touched map[string]touch
	gather  time.Time // when to look at what was touched; zero: nothing was
	nudges  nudges
	waiting []*request

	source  *source
	watched os.FileInfo // the directory the source watches
	canary  canary

	local bool  // what is watched is on a file system of this machine's own
	whole bool  // the next rescan looks at all
	round turns // says at what the others look

	scans      int64
	scanAt     time.Time // of the latest; by the steady clock, as what follows
	rescanAt   time.Time
	scanTook   time.Duration
	ledgerAt   time.Time // not before, after a ledger error
	ledgerWait time.Duration

	batch             string
	batchAt, batchEnd time.Time
}

func newOwner(w *Watcher) *owner {
	o := &owner{
		Watcher: w, began: w.opts.Now(), known: map[string]*file{}, touched: map[string]touch{},
		nudges: newNudges(), whole: true,
	}
	o.rescanAt = o.now()
	return o
}

func (o *owner) now() time.Time { return o.opts.Now() }

func (o *owner) events() <-chan event {
	if o.source == nil {
		return nil
	}
	return o.source.events
}

// nextDue is the earliest moment at which step has something to do.
func (o *owner) nextDue() time.Time {
	due := o.rescanAt
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	earlier(o.gather)
	earlier(o.nudges.due())
	earlier(o.canary.due())
	if o.pending.len() > 0 {
		at := o.ledgerAt
		if at.IsZero() {
			at = o.now()
		}
		earlier(at)
	}
	return due
}

// step does what is due. At most one handful of sightings is told to the ledger,
// so that events are never left waiting for many.
func (o *owner) step(ctx context.Context) {
	now := o.now()
	if !o.gather.IsZero() && !now.Before(o.gather) {
		o.lookAtTouched(now)
	}
	if !now.Before(o.rescanAt) {
		o.rescan(now)
	}
	for _, name := range o.nudges.fire(now) {
		o.opts.Nudge(o.opts.Channel, name)
	}
	o.checkCanary(now)
	if o.pending.len() > 0 && !now.Before(o.ledgerAt) {
		o.spotOldest(ctx, handful)
	}
	if o.pending.len() == 0 && !o.ledgerAt.IsZero() {
		o.ledgerWorks() // or not: nobody waits for it any more, say since another replica took the files
	}
}

// takeNotes takes what callers of other goroutines left.
func (o *owner) takeNotes() {
	o.mu.Lock()
	released, requests := o.released, o.requests
	o.released, o.requests = map[string]struct{}{}, nil
	o.mu.Unlock()
	for name := range released {
		delete(o.known, name)
		o.touch(name, o.touched[name])
	}
	for _, r := range requests {
		o.answer(r)
	}
}

// batchAtNow gives the batch that a file found now belongs to.
func (o *owner) batchAtNow(now time.Time) string {
	if o.batch == "" || now.Sub(o.batchAt) > burstGap || now.After(o.batchEnd) {
		o.batch, o.batchEnd = upload.NewUUID(now), now.Add(burstMost)
	}
	o.batchAt = now
	return o.batch
}
