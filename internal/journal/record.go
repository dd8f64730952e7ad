package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Record applies a stage's outcome to the upload it claimed, and makes row,
// event, findings, ticket's fate and adoption durable at once. It applies it to
// the row as it is now (a ticket kept meanwhile stays), guarded by id, fence and
// state: a miss is ErrLeaseLost. With keep the lease stays for the next stage
// (unless nothing follows), and the copy returned carries its fence; without, it
// is given up.
//
// ErrContentTaken: another upload holds or delivered the content; ErrConflict:
// another upload of the file is open; upload.ErrIllegalTransition: the outcome
// does not fit. In each case nothing was written and the lease is still held.
func (j *Journal) Record(ctx context.Context, u upload.Upload, o upload.Outcome, now time.Time, keep bool) (upload.Upload, error) {
	return j.RecordAll(ctx, u, []upload.Outcome{o}, now, keep)
}

// RecordAll is Record for outcomes that follow one another: all of them in one
// change, each with its event, or none.
func (j *Journal) RecordAll(ctx context.Context, u upload.Upload, all []upload.Outcome, now time.Time, keep bool) (upload.Upload, error) {
	fence, state := u.Fence, u.State
	return j.change(ctx, step{
		op: "record", id: u.ID, outcomes: all, now: now, keep: keep,
		guard: func(r *held) error {
			if r.fence != fence || !r.leased || r.State != state {
				return ErrLeaseLost
			}
			return nil
		},
	})
}

// Act applies an operator's outcome, whoever holds the upload: the lease is
// taken away and the fence raised, so that a running stage can record nothing
// more. Errors are those of Record, but ErrNotFound in place of ErrLeaseLost.
func (j *Journal) Act(ctx context.Context, id upload.ID, o upload.Outcome, now time.Time) (upload.Upload, error) {
	return j.change(ctx, step{
		op: "act", id: id, outcomes: []upload.Outcome{o}, now: now, seize: true,
		guard: func(*held) error { return nil },
	})
}

// held is a row with its lease.
type held struct {
	upload.Upload
	fence  int64
	leased bool
}

// step is one change of one upload.
type step struct {
	op       string
	id       upload.ID
	outcomes []upload.Outcome // one after the other; at least one
	now      time.Time
	keep     bool // the lease stays
	seize    bool // the lease is taken from whoever holds it
	guard    func(r *held) error
}

// stride is what one outcome of a step does.
type stride struct {
	outcome upload.Outcome
	before  *upload.Upload // the one before it, after it
	after   upload.Upload
}

// strides applies the outcomes, the first to u.
func (s step) strides(u *upload.Upload) ([]stride, error) {
	all := make([]stride, len(s.outcomes))
	for i, o := range s.outcomes {
		after, err := o.Apply(*u, s.now)
		if err != nil {
			return nil, err
		}
		all[i] = stride{o, u, after}
		u = &all[i].after
		asStored(u)
	}
	return all, nil
}

func (j *Journal) change(ctx context.Context, s step) (upload.Upload, error) {
	for _, o := range s.outcomes {
		if err := j.begin(s.op + " " + o.Name()); err != nil {
			return upload.Upload{}, err
		}
	}
	var after upload.Upload
	err := j.transact(ctx, func(t txn) error {
		before, err := j.load(ctx, t, s.id)
		switch {
		case errors.Is(err, sql.ErrNoRows) && s.seize:
			return ErrNotFound
		case errors.Is(err, sql.ErrNoRows):
			return ErrLeaseLost
		case err != nil:
			return err
		}
		if err := s.guard(&before); err != nil {
			return err
		}
		strides, err := s.strides(&before.Upload)
		if err != nil {
			return err
		}
		err = s.write(ctx, t, &before, strides)
		after = strides[len(strides)-1].after
		return err
	})
	if err != nil {
		if j.trouble(err) == NotUnique {
			err = j.whichUnique(ctx, after, err)
		}
		return upload.Upload{}, j.fail(s.op+" "+s.outcomes[len(s.outcomes)-1].Name(), err)
	}
	j.notify()
	return after, nil
}

// load reads a row that is about to change.
func (j *Journal) load(ctx context.Context, t txn, id upload.ID) (held, error) {
	if r, ok := t.rows.row(id); ok {
		return r, nil
	}
	var r held
	err := t.row(ctx, `SELECT fence, lease_owner IS NOT NULL, `+j.columns+` FROM uploads WHERE id = ?`+j.store.Dialect.ForUpdate, id).
		Scan(append([]any{&r.fence, &r.leased}, refs(&r.Upload)...)...)
	return r, err
}

// write makes the step durable, and gives the last upload its fence.
func (s step) write(ctx context.Context, t txn, before *held, all []stride) error {
	for i := range all {
		if err := all[i].adopt(ctx, t); err != nil {
			return err
		}
	}
	after := &all[len(all)-1].after
	set, args := differences(&before.Upload, after)
	keep := s.keep && after.State.Open()
	if !keep {
		set = append(set, "lease_owner = NULL", "lease_until = NULL")
	}
	if s.seize {
		set = append(set, "fence = fence + 1")
	}
	if keep {
		after.Fence = before.fence
	}
	if len(set) > 0 {
		n, err := t.execOn(ctx, s.id, `UPDATE uploads SET `+strings.Join(set, ", ")+` WHERE id = ? AND fence = ? AND state = ?`,
			append(args, s.id, before.fence, before.State)...)
		if err != nil {
			return fmt.Errorf("update upload: %w", err)
		}
		if n != 1 {
			return ErrLeaseLost
		}
	}
	for i := range all {
		if err := all[i].attend(ctx, t); err != nil {
			return err
		}
	}
	if after.State.Open() && !s.seize {
		t.rows.reads(held{*after, before.fence, keep && before.leased})
	}
	return nil
}

// attend writes what goes with the row.
func (s *stride) attend(ctx context.Context, t txn) error {
	before, after := s.before, &s.after
	if after.ContentKey != "" && after.ContentKey != before.ContentKey {
		if err := notDelivered(ctx, t, *after); err != nil {
			return err
		}
	}
	if f := s.outcome.Findings(); f != nil {
		if err := replaceFindings(ctx, t, after.ID, f); err != nil {
			return err
		}
	}
	if after.Ticket != before.Ticket && !after.Ticket.IsZero() {
		if err := noteFate(ctx, t, *after); err != nil {
			return err
		}
	}
	if after.Verdict == upload.Accepted && before.Verdict != upload.Accepted {
		if err := noteAccepted(ctx, t, *after); err != nil {
			return err
		}
	}
	if s.repeats() {
		return nil
	}
	return addEvent(ctx, t, eventOf(s.outcome.Name(), before.State, *after))
}

// repeats reports whether the stride is the same waiting as before.
func (s *stride) repeats() bool {
	waiting := s.outcome.Name() == "hold" || s.outcome.Name() == "polled"
	return waiting && s.outcome.Reason() == s.before.Reason
}

// adopt takes the content from the upload that gave it up. If that one has been
// taken up again meanwhile, the content is its own still.
func (s *stride) adopt(ctx context.Context, t txn) error {
	if s.outcome.Adopts() == "" {
		return nil
	}
	n, err := t.execOn(ctx, s.outcome.Adopts(), `UPDATE uploads SET content_key = NULL WHERE id = ? AND channel = ? AND content_key = ?
		AND (verdict = 'unresolved' OR (state IN ('failed', 'cancelled') AND verdict NOT IN ('accepted', 'duplicate', 'partially_accepted')))`,
		s.outcome.Adopts(), s.after.Channel, s.after.ContentKey)
	if err == nil && n == 0 {
		err = ErrContentTaken
	}
	return err
}

// whichUnique says which law a refused row would have broken.
func (j *Journal) whichUnique(ctx context.Context, after upload.Upload, cause error) error {
	if after.ContentKey != "" {
		_, taken, err := j.holder(ctx, after.Channel, after.ContentKey, after.ID)
		if err != nil {
			return errors.Join(cause, err)
		}
		if taken {
			return ErrContentTaken
		}
	}
	if after.State.Open() {
		other, err := j.latest(ctx, j.row, after.Channel, after.Filename, ` AND `+isOpen())
		if err == nil && other.ID != after.ID {
			return ErrConflict
		}
	}
	return cause
}
