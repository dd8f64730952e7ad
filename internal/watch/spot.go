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

// spotOldest tells the ledger of the oldest file in line. If that fails it stays
// in line, and all wait for a while: the fault is the ledger's, not the file's.
func (o *owner) spotOldest(ctx context.Context) {
	s := o.pending.pop()
	seen, err := o.opts.Dir.Look(s.Filename) // it may have waited long
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.dropHint(s.Filename)
		o.resolve(s.Filename, Seen{Reason: upload.SourceVanished})
		return
	case err != nil:
		o.resolve(s.Filename, Seen{Reason: reasonOf(err)})
		return // a rescan finds it again if it is one of ours after all
	}
	s.Seen = seen
	call, cancel := context.WithTimeout(ctx, ledgerPatience)
	u, how, err := o.opts.Ledger.Spot(call, s)
	cancel()
	if err != nil {
		o.pending.put(s)
		o.ledgerFailed(ctx, err)
		return
	}
	o.ledgerWorks()
	o.known[s.Filename] = &file{id: seen, open: how != upload.Known, checked: o.now(), scan: o.scans}
	o.resolve(s.Filename, Seen{}.became(u, how))
	if how == upload.Began {
		o.opts.Wake(o.opts.Channel)
	}
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
