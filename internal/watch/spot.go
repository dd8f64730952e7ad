package watch

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	ledgerPatience = 30 * time.Second // for one call
	ledgerLeast    = 100 * time.Millisecond
	ledgerMost     = 5 * time.Second
)

// enqueue puts a file in line for the ledger.
func (o *owner) enqueue(name string, id upload.Identity, now time.Time, forced bool) {
	kind, ok := o.opts.Kinds(name)
	if !ok {
		return
	}
	o.pending.put(upload.Sighting{
		Channel: o.opts.Channel, Kind: kind, Filename: name, Seen: id,
		BatchID: o.batchAtNow(now), Forced: forced, At: now.UTC(),
	})
}

// handful is how many sightings the ledger is told of at once.
const handful = 32

// spotOldest tells the ledger of the oldest files in line, at most so many. Those
// of which that fails stay in line, and all wait for a while: the fault is the
// ledger's, not the files'.
func (o *owner) spotOldest(ctx context.Context, most int) {
	var all []upload.Sighting
	for o.pending.len() > 0 && len(all) < most {
		if s, ok := o.lookAgain(o.pending.pop()); ok {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return
	}
	call, cancel := context.WithTimeout(ctx, ledgerPatience)
	answers := o.opts.Ledger.SpotAll(call, all)
	cancel()
	var failed error
	for i, s := range all {
		a := answers[i]
		if a.Err != nil {
			o.pending.put(s)
			failed = a.Err
			continue
		}
		f := &file{id: s.Seen, open: a.How != upload.Known, checked: o.age(o.now())}
		f.meet(o.scans)
		o.known[s.Filename] = f
		o.resolve(s.Filename, Seen{}.became(a.Upload, a.How))
		if a.How == upload.Began {
			o.opts.Began(a.Upload)
		}
	}
	if failed != nil {
		o.ledgerFailed(ctx, failed)
	} else {
		o.ledgerWorks()
	}
}

// lookAgain looks at a file that may have waited long. False: it is none of ours
// any more, which those who asked for it are told.
func (o *owner) lookAgain(s upload.Sighting) (upload.Sighting, bool) {
	seen, err := o.opts.Dir.Look(s.Filename)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.dropHint(s.Filename)
		o.resolve(s.Filename, Seen{Reason: upload.SourceVanished})
		return s, false
	case err != nil:
		o.resolve(s.Filename, Seen{Reason: reasonOf(err)})
		o.whole = true // a rescan finds it again if it is one of ours after all
		return s, false
	}
	s.Seen = seen
	return s, true
}

func (o *owner) ledgerFailed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if o.ledgerAt.IsZero() { // says so once, not at every try
		o.opts.Logger.WarnContext(ctx, "journal cannot be told of files; they stay pending",
			"channel", string(o.opts.Channel), "pending", o.pending.len(), "error", err.Error())
	}
	o.ledgerWait = min(max(2*o.ledgerWait, ledgerLeast), ledgerMost)
	o.ledgerAt = o.now().Add(o.ledgerWait)
	o.failWaiting(err)
	o.setJournal(upload.JournalUnavailable)
}

func (o *owner) ledgerWorks() {
	if !o.ledgerAt.IsZero() {
		o.ledgerAt, o.ledgerWait = time.Time{}, 0
		o.setJournal("")
	}
	o.mu.Lock()
	o.status.Pending = o.pending.len()
	o.mu.Unlock()
}

func (o *owner) setJournal(r upload.Reason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status.Journal, o.status.Pending = r, o.pending.len()
}
