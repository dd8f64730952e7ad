package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// ErrOver says that the alert is resolved already.
var ErrOver = errors.New("the alert is resolved already")

// Ledger keeps alerts; *journal.Journal is one.
type Ledger interface {
	ChangeAlerts(ctx context.Context, change func(ctx context.Context, t journal.AlertTx) error) error
	OpenAlerts(ctx context.Context) ([]journal.Alert, error)
	Get(ctx context.Context, id upload.ID) (upload.Upload, error)
}

// Book opens and ends alerts. It is safe for concurrent use, and may be called
// again with the same after any failure: what is open is not opened twice.
type Book struct {
	ledger  Ledger
	policy  Policy
	now     func() time.Time
	changed func() // a message may be due earlier than was thought
}

// NewBook makes a book. changed is called after every change and must not block;
// nil: nobody is told. now is the journal's clock.
func NewBook(l Ledger, p Policy, now func() time.Time, changed func()) *Book {
	if now == nil {
		now = time.Now
	}
	if changed == nil {
		changed = func() {}
	}
	return &Book{ledger: l, policy: p, now: now, changed: changed}
}

// Raise opens the alert of the signal, or adds the signal to the open one.
func (b *Book) Raise(ctx context.Context, s Signal) error {
	if !s.Event.Valid() {
		return fmt.Errorf("raise alert: unknown event %q", s.Event)
	}
	return b.change(ctx, func(ctx context.Context, t journal.AlertTx) error { return b.raise(ctx, t, s) })
}

func (b *Book) change(ctx context.Context, do func(ctx context.Context, t journal.AlertTx) error) error {
	err := b.ledger.ChangeAlerts(ctx, do)
	if err == nil {
		b.changed()
	}
	return err
}

func (b *Book) raise(ctx context.Context, t journal.AlertTx, s Signal) error {
	open, found, err := t.Open(ctx, s.Key())
	if err != nil {
		return err
	}
	if !found {
		return t.Save(ctx, b.policy.opened(s, b.now()))
	}
	after, changed := b.policy.again(open, s, b.now())
	if !changed {
		return nil
	}
	return t.Save(ctx, after)
}

// Resolve ends the open alert of the key; that there is none is no error.
func (b *Book) Resolve(ctx context.Context, key string) error {
	return b.change(ctx, func(ctx context.Context, t journal.AlertTx) error {
		open, found, err := t.Open(ctx, key)
		if err != nil || !found {
			return err
		}
		return t.Save(ctx, b.policy.resolved(open, b.now()))
	})
}

// Reconcile makes the open alerts of the events those of the signals: raises
// what is the matter now and ends what no longer is. For conditions that are
// looked at every so often; whoever looks at an event alone looks at all of it. Where
// others look as well ([Policy.Stands]), an alert ends once nobody has seen its
// condition for some time.
func (b *Book) Reconcile(ctx context.Context, events []Event, signals []Signal) error {
	open, err := b.ledger.OpenAlerts(ctx)
	if err != nil {
		return err
	}
	stays := map[string]bool{}
	for _, s := range signals {
		stays[s.Key()] = true
		i := slices.IndexFunc(open, func(a journal.Alert) bool { return a.Key == s.Key() })
		if i >= 0 {
			if _, changed := b.policy.again(open[i], s, b.now()); !changed {
				continue
			}
		}
		if err := b.Raise(ctx, s); err != nil {
			return err
		}
	}
	for _, a := range open {
		if slices.Contains(events, Event(a.Event)) && !stays[a.Key] && !b.policy.stands(a, b.now()) {
			if err := b.Resolve(ctx, a.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// Acknowledge says that somebody has seen the alert: it is not repeated, and one
// that nothing else would end is ended. It may be repeated. ErrOver: it is
// resolved; journal.ErrNotFound: there is none.
func (b *Book) Acknowledge(ctx context.Context, id, by string) (journal.Alert, error) {
	var a journal.Alert
	err := b.change(ctx, func(ctx context.Context, t journal.AlertTx) error {
		var err error
		if a, err = t.Get(ctx, id); err != nil {
			return err
		}
		if !a.AcknowledgedAt.IsZero() {
			return nil
		}
		if !a.ResolvedAt.IsZero() {
			return ErrOver
		}
		a = b.policy.acknowledged(a, by, b.now())
		return t.Save(ctx, a)
	})
	return a, err
}
