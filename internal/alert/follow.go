package alert

import (
	"context"
	"errors"
	"slices"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Feed is the journal's stream of events; *journal.Journal is one.
type Feed interface {
	LastEvent(ctx context.Context) (int64, error)
	EventsAfter(ctx context.Context, seq int64, limit int) ([]upload.Event, error)
}

// followPage is how many events are turned into alerts at once.
const followPage = 1000

// errMoved says that another process made alerts of these events meanwhile.
var errMoved = errors.New("the cursor has moved")

// Begin has alerts made of the events from now on, where none ever were: what
// happened before is not news.
func (b *Book) Begin(ctx context.Context, f Feed) error {
	last, err := f.LastEvent(ctx)
	if err != nil {
		return err
	}
	return b.ledger.ChangeAlerts(ctx, func(ctx context.Context, t journal.AlertTx) error {
		seq, known, err := t.Cursor(ctx)
		if err != nil || known && seq <= last { // a higher one is of an older journal
			return err
		}
		return t.SetCursor(ctx, last)
	})
}

// Follow makes alerts of the next events; more reports whether there may be
// further ones. Call it again after every change of the journal.
func (b *Book) Follow(ctx context.Context, f Feed) (more bool, err error) {
	var from int64
	if err := b.ledger.ChangeAlerts(ctx, func(ctx context.Context, t journal.AlertTx) (err error) {
		from, _, err = t.Cursor(ctx)
		return err
	}); err != nil {
		return false, err
	}
	events, err := f.EventsAfter(ctx, from, followPage)
	if err != nil || len(events) == 0 {
		return false, err
	}
	steps, err := b.matter(ctx, read(events))
	if err != nil {
		return false, err
	}
	err = b.change(ctx, func(ctx context.Context, t journal.AlertTx) error {
		if now, _, err := t.Cursor(ctx); err != nil || now != from {
			return errors.Join(err, errMoved)
		}
		for _, s := range steps {
			if err := b.take(ctx, t, s); err != nil {
				return err
			}
		}
		return t.SetCursor(ctx, events[len(events)-1].Seq)
	})
	if errors.Is(err, errMoved) {
		return true, nil
	}
	return len(events) == followPage, err
}

// step is what one event means: a file is the matter, or no longer.
type step struct {
	raise  Event // empty: the file is no longer the matter
	over   []Event
	id     upload.ID
	upload *upload.Upload // of the id, once matter has read it
	reason upload.Reason
}

var verdicts = map[upload.Verdict]Event{
	upload.Rejected: Rejected, upload.PartiallyAccepted: Partial, upload.Invalid: Invalid, upload.Unresolved: Unresolved,
}

// ofFiles are the alerts that what becomes of a file opens and ends, here alone.
var ofFiles = []Event{Rejected, Partial, Invalid, Unresolved, Failed}

// read sorts events out.
func read(events []upload.Event) []step {
	var steps []step
	for _, e := range events {
		s := step{id: e.UploadID, reason: e.Reason}
		switch decided := e.To == upload.StateDecided && e.From != upload.StateDecided && e.From != upload.StateFailed; {
		case e.Reason == upload.JournalRebuilt: // it happened before
			continue
		case decided && verdicts[e.Verdict] != "":
			s.raise = verdicts[e.Verdict]
		case decided: // accepted, or there already
			s.over = ofFiles
		case e.To == upload.StateFailed:
			s.raise = Failed
		case e.From == upload.StateFailed:
			s.over = []Event{Failed}
		default:
			continue
		}
		steps = append(steps, s)
	}
	return steps
}

// matter looks up the uploads of the steps that change anything. Where no alert of
// a file is open and none is raised, nothing is over either: that is how it is with
// nearly all files.
func (b *Book) matter(ctx context.Context, steps []step) ([]step, error) {
	if !slices.ContainsFunc(steps, func(s step) bool { return s.raise != "" }) {
		open, err := b.ledger.OpenAlerts(ctx)
		ofFile := func(a journal.Alert) bool { return slices.Contains(ofFiles, Event(a.Event)) }
		if err != nil || !slices.ContainsFunc(open, ofFile) {
			return nil, err
		}
	}
	var known []step
	for _, s := range steps {
		u, err := b.ledger.Get(ctx, s.id)
		if errors.Is(err, journal.ErrNotFound) {
			continue // pruned: long over
		}
		if err != nil {
			return nil, err
		}
		s.upload = &u
		known = append(known, s)
	}
	return known, nil
}

func (b *Book) take(ctx context.Context, t journal.AlertTx, s step) error {
	u := s.upload
	if s.raise != "" {
		return b.raise(ctx, t, Signal{
			Event: s.raise, Channel: u.Channel, Kind: u.Kind, Reason: s.reason, File: journal.AlertFile{Name: u.Filename, UploadID: u.ID},
		})
	}
	for _, e := range s.over {
		open, found, err := t.Open(ctx, Signal{Event: e, Channel: u.Channel, Kind: u.Kind}.Key())
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		after, changed := b.policy.settled(open, func(f journal.AlertFile) bool { return f.Name == u.Filename }, b.now())
		if changed {
			if err := t.Save(ctx, after); err != nil {
				return err
			}
		}
	}
	return nil
}
