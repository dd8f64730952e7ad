package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// errAbandoned: the change that was made durable beside this one broke off.
var errAbandoned = errors.New("the shared transaction was abandoned")

// commits gathers changes into shared transactions: a commit costs a write-through
// of the disk, however much is in it. Changes that come while another one is
// being committed go together into the next. Each runs in the goroutine of any of
// those waiting, and once begun to its end, whatever becomes of its caller's
// context; it runs once more where one beside it has failed. It is acknowledged
// after the commit that holds it.
type commits struct {
	store Store
	lead  chan struct{} // held by whoever is committing

	relaxed bool   // by whoever is committing: commits do not wait for the disk now
	known   *known // by whoever is committing
	latest  int    // by whoever is committing: changes in the latest commit
	changes atomic.Int64

	mu     sync.Mutex
	queued []*change
}

// change is one caller's part of a shared transaction.
type change struct {
	do    func(t txn) error
	light bool // it may be undone by a power cut; see transactLightly
	err   error
	done  chan struct{} // closed when err is final
}

func newCommits(s Store) *commits {
	return &commits{store: s, lead: make(chan struct{}, 1), known: &known{rows: map[upload.ID]held{}}}
}

// add has do committed, by itself or by whoever is at it.
func (c *commits) add(ctx context.Context, do func(t txn) error, light bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	own := &change{do: do, light: light, done: make(chan struct{})}
	c.mu.Lock()
	c.queued = append(c.queued, own)
	c.mu.Unlock()
	select {
	case <-own.done:
	case c.lead <- struct{}{}:
		func() {
			defer func() { <-c.lead }()
			c.commit(context.WithoutCancel(ctx))
		}()
	case <-ctx.Done():
		if c.withdraw(own) {
			return ctx.Err()
		}
	}
	<-own.done
	return own.err
}

// withdraw takes a change back that nobody has begun with.
func (c *commits) withdraw(own *change) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.queued {
		if other == own {
			c.queued = append(c.queued[:i:i], c.queued[i+1:]...)
			return true
		}
	}
	return false
}

// crowd is how many changes a commit held if many come at once.
const crowd = 4

// gather lets everybody run who can, as long as that brings more changes: where many
// come, the fewest commits are the fastest. Where few do, the one that is there is
// not to wait for work that brings none.
func (c *commits) gather() {
	if c.latest < crowd {
		return
	}
	for before, now := -1, 0; now > before; {
		runtime.Gosched()
		c.mu.Lock()
		before, now = now, len(c.queued)
		c.mu.Unlock()
	}
}

// commit takes all that is queued through one transaction.
func (c *commits) commit(ctx context.Context) {
	c.gather()
	c.mu.Lock()
	together := c.queued
	c.queued = nil
	c.mu.Unlock()
	c.latest = len(together)
	if len(together) == 0 {
		return
	}
	lost := errAbandoned // what becomes of all if this panics
	defer func() {
		for _, one := range together {
			if lost != nil && one.err == nil {
				one.err = lost
			}
			close(one.done)
		}
	}()
	if lost = c.lightly(ctx, together); lost == nil {
		lost = errAbandoned
		lost = c.transaction(ctx, together)
	}
}

// lightly has the transaction not wait for the disk where none of the changes
// needs that, and wait where one does: the more so if to change back failed once.
func (c *commits) lightly(ctx context.Context, together []*change) error {
	relax := c.store.Dialect.Lightly
	light := relax != nil && !slices.ContainsFunc(together, func(one *change) bool { return !one.light })
	if light == c.relaxed {
		return nil
	}
	if err := relax(ctx, c.store.Write, light); err != nil {
		return err
	}
	c.relaxed = light
	return nil
}

// transaction gives the error of all those changes that have none of their own.
// Hardly ever does one fail: so they run as one at first, which is undone as one,
// and each apart from the others only after that.
func (c *commits) transaction(ctx context.Context, together []*change) error {
	each := func(run func(one *change, t txn) error) error {
		return c.within(ctx, func(t txn) error {
			for _, one := range together {
				if err := run(one, t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := each(func(one *change, t txn) error { return one.do(t) })
	if err == nil || len(together) == 1 {
		return err
	}
	return each(func(one *change, t txn) error { return one.apart(ctx, t) })
}

// within runs do in a transaction.
func (c *commits) within(ctx context.Context, do func(t txn) error) error {
	tx, err := c.store.Write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	t := txn{tx, c.store.Dialect, new(bool), c.known.begin()}
	committed := false
	defer func() { // after the end, whatever it was: who looks from now on sees all of it
		_ = tx.Rollback() // after Commit it does nothing
		t.rows.end(committed)
		if *t.changed {
			c.changes.Add(1)
		}
	}()
	if err := do(t); err != nil {
		return err
	}
	err = tx.Commit()
	committed = err == nil
	return err
}

// apart runs the change so that its failure undoes it alone. The error returned
// is the transaction's: after a full disk, say, the database has undone it all.
func (c *change) apart(ctx context.Context, t txn) error {
	if _, err := t.tx.ExecContext(ctx, `SAVEPOINT part`); err != nil {
		return err
	}
	failed := c.do(t)
	if failed != nil {
		t.rows.changesAny() // back to what they were
		if _, err := t.tx.ExecContext(ctx, `ROLLBACK TO part`); err != nil {
			return fmt.Errorf("%w (%w)", failed, err)
		}
	}
	if _, err := t.tx.ExecContext(ctx, `RELEASE part`); err != nil {
		return err
	}
	c.err = failed
	return nil
}

// uncut keeps the end of one caller's context from undoing what is others' too.
func (d Dialect) uncut(ctx context.Context) context.Context {
	if d.OneWriter {
		return context.WithoutCancel(ctx)
	}
	return ctx
}
