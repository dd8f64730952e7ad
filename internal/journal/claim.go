package journal

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// overdue is how long a retried upload lets fresh ones pass before it is their
// equal: a stream of new files must not starve it.
const overdue = time.Minute

// Claim asks for work.
type Claim struct {
	Channel upload.Channel
	States  []upload.State // the states the claimer can go on from
	// First are kinds that go before all others. Who always names some starves
	// the others; see pipeline.
	First []upload.Kind
	Owner string // who claims: unique per process
	Lease time.Duration
	Now   time.Time
}

// Claim gives the next due upload under a lease, its fence raised: among those
// without a lease, or whose lease has run out, the fresh before the retried
// (unless these are overdue by a minute), of the fresh those of the kinds in
// First, then the oldest. False: there is none.
func (j *Journal) Claim(ctx context.Context, c Claim) (upload.Upload, bool, error) {
	got, err := j.ClaimSome(ctx, c, 1)
	if err != nil || len(got) == 0 {
		return upload.Upload{}, false, err
	}
	return got[0], true, nil
}

// ClaimSome is Claim for at most so many uploads, in their order.
func (j *Journal) ClaimSome(ctx context.Context, c Claim, most int) ([]upload.Upload, error) {
	const op = "claim"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	c.States = slices.DeleteFunc(slices.Clone(c.States), func(s upload.State) bool { return !s.Open() })
	if len(c.States) == 0 || most < 1 {
		return nil, nil
	}
	var got []upload.Upload
	err := j.transactLightly(ctx, func(t txn) error {
		got = got[:0] // a transaction may be done again
		ids, err := j.claimable(ctx, t, c, most)
		for _, id := range ids {
			u, err := j.lease(ctx, t, id, c)
			if err != nil {
				return err
			}
			got = append(got, u)
		}
		return err
	})
	if err != nil {
		return nil, j.fail(op, err)
	}
	return got, nil
}

// lease leases a row that may be claimed.
func (j *Journal) lease(ctx context.Context, t txn, id upload.ID, c Claim) (upload.Upload, error) {
	const take = `UPDATE uploads SET lease_owner = ?, lease_until = ?, fence = fence + 1 WHERE id = ?`
	if r, ok := t.rows.row(id); ok {
		r.fence, r.leased = r.fence+1, true
		_, err := t.execOn(ctx, id, take, c.Owner, at(c.Now.Add(c.Lease)), id)
		t.rows.reads(r)
		r.Fence = r.fence
		return r.Upload, err
	}
	var u upload.Upload
	err := t.returning(ctx, take+` RETURNING fence, `+j.columns, c.Owner, at(c.Now.Add(c.Lease)), id).Scan(append([]any{&u.Fence}, refs(&u)...)...)
	if err == nil {
		t.rows.reads(held{u, u.Fence, true})
	}
	return u, err
}

// claimable gives at most so many rows that may be claimed, in the order of their
// rank; none has two. A rank is asked for only if those before it are not enough:
// to find that none of ten thousand fresh files is a retried one takes reading all.
func (j *Journal) claimable(ctx context.Context, t txn, c Claim, most int) ([]upload.ID, error) {
	ask := c.lockingRows
	if t.d.OneWriter {
		ask = c.stateByState
	}
	var all []upload.ID
	for _, r := range c.ranks() {
		args := append([]any{c.Channel, at(c.Now), at(c.Now.Add(-overdue))}, r.kinds...)
		more, err := t.ids(ctx, most-len(all), ask(r.terms, most-len(all), t.d), args)
		all = append(all, more...)
		if err != nil || len(all) == most {
			return all, err
		}
	}
	return all, nil
}

// rank is what tells one rank from the others: its conditions, whose arguments are
// numbered, and those of the kinds, ?4 and on.
type rank struct {
	terms string
	kinds []any
}

func (c Claim) ranks() []rank {
	const fresh, retried = `(attempt = 0 OR next_attempt_at <= ?3)`, `attempt > 0 AND next_attempt_at > ?3`
	if len(c.First) == 0 {
		return []rank{{terms: fresh}, {terms: retried}}
	}
	numbers := make([]string, len(c.First))
	for i := range numbers {
		numbers[i] = "?" + strconv.Itoa(4+i)
	}
	list, kinds := `(`+strings.Join(numbers, ", ")+`)`, texts(c.First)
	return []rank{{fresh + ` AND kind IN ` + list, kinds}, {fresh + ` AND kind NOT IN ` + list, kinds}, {terms: retried}}
}

const (
	claimableNow = `channel = ?1 AND next_attempt_at <= ?2 AND (lease_until IS NULL OR lease_until <= ?2)`
	oldestFirst  = ` ORDER BY spotted_at, seq LIMIT `
)

// lockingRows asks for a rank's first rows, each of which is locked.
func (c Claim) lockingRows(terms string, most int, d Dialect) string {
	states := make([]string, len(c.States))
	for i, s := range c.States {
		states[i] = `'` + string(s) + `'`
	}
	return `SELECT id FROM uploads WHERE ` + isOpen() + ` AND state IN (` + strings.Join(states, ", ") + `) AND ` + claimableNow + ` AND ` + terms +
		oldestFirst + strconv.Itoa(most) + d.SkipLocked
}

// stateByState asks for a rank's first rows, each state by itself, from an index
// that holds its rows in their order. What is asked for often is part of the text,
// one of few: SQLite lays a statement out anew whenever a limit is bound, even the
// same again, and each value that is bound costs.
func (c Claim) stateByState(terms string, most int, _ Dialect) string {
	order := oldestFirst + strconv.Itoa(fewOf(most))
	parts := make([]string, len(c.States))
	for i, s := range c.States {
		parts[i] = `SELECT * FROM (SELECT seq, spotted_at FROM uploads WHERE state = '` + string(s) + `' AND ` + claimableNow + ` AND ` + terms + order + `)`
	}
	return `SELECT (SELECT id FROM uploads WHERE uploads.seq = due.seq) FROM (SELECT * FROM (` + strings.Join(parts, ` UNION ALL `) + `)` + order + `) AS due` + order
}

// fewOf is the least power of two that is no less than n.
func fewOf(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// ids gives the rows that a question answers with, no more than most.
func (t txn) ids(ctx context.Context, most int, query string, args []any) ([]upload.ID, error) {
	rows, err := t.tx.QueryContext(t.d.uncut(ctx), t.d.Rebind(query), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []upload.ID
	for len(all) < most && rows.Next() {
		var id upload.ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, rows.Err()
}

// NextDue is the earliest moment at which an upload in one of the states can be
// claimed, the ends of leases included; it may be past. False: there is none.
func (j *Journal) NextDue(ctx context.Context, ch upload.Channel, states []upload.State) (time.Time, bool, error) {
	const op = "next due"
	if err := j.begin(op); err != nil {
		return time.Time{}, false, err
	}
	if len(states) == 0 {
		return time.Time{}, false, nil
	}
	w := where{}
	w.add(isOpen())
	w.add(`channel = ?`, ch)
	oneOf(&w, `state`, states)
	var due time.Time
	err := j.row(ctx, `SELECT min(CASE WHEN lease_until > next_attempt_at THEN lease_until ELSE next_attempt_at END) FROM uploads`+w.sql(),
		w.args...).Scan(nanos{&due})
	return due, !due.IsZero(), j.fail(op, err)
}

// Renew prolongs the lease under which u was claimed.
func (j *Journal) Renew(ctx context.Context, u upload.Upload, until time.Time) error {
	return j.leased(ctx, "renew", u.ID, `UPDATE uploads SET lease_until = ?`+heldBy, at(until), u.ID, u.Fence)
}

// Release gives up the lease under which u was claimed; the row stays as it is.
func (j *Journal) Release(ctx context.Context, u upload.Upload) error {
	err := j.leased(ctx, "release", u.ID, `UPDATE uploads SET lease_owner = NULL, lease_until = NULL`+heldBy, u.ID, u.Fence)
	if err == nil {
		j.notify()
	}
	return err
}

// heldBy is the guard of whoever holds a lease: its id and fence.
const heldBy = ` WHERE id = ? AND fence = ? AND lease_owner IS NOT NULL`

func (j *Journal) leased(ctx context.Context, op string, id upload.ID, query string, args ...any) error {
	if err := j.begin(op); err != nil {
		return err
	}
	return j.fail(op, j.transactLightly(ctx, func(t txn) error {
		n, err := t.execOn(ctx, id, query, args...)
		if err == nil && n == 0 {
			err = ErrLeaseLost
		}
		return err
	}))
}

// Touch makes an open upload due now; one that is not open is left alone.
func (j *Journal) Touch(ctx context.Context, id upload.ID, now time.Time) error {
	w := where{}
	w.add(`id = ?`, id)
	_, err := j.wake(ctx, "touch", w, now)
	return err
}

// TouchFile is Touch by channel and file name.
func (j *Journal) TouchFile(ctx context.Context, ch upload.Channel, filename string, now time.Time) error {
	w := where{}
	w.add(`channel = ?`, ch)
	w.add(`filename = ?`, filename)
	_, err := j.wake(ctx, "touch file", w, now)
	return err
}

// WakeRetries makes the channel's uploads that wait for one of the reasons due
// now, e.g. when the server is back; without reasons, all that wait. It gives
// their number.
func (j *Journal) WakeRetries(ctx context.Context, ch upload.Channel, now time.Time, reasons ...upload.Reason) (int64, error) {
	w := where{}
	w.add(`channel = ?`, ch)
	oneOf(&w, `reason`, reasons)
	return j.wake(ctx, "wake retries", w, now)
}

// ahead is how much farther the clocks of replicas may be than our own without
// anything being wrong.
const ahead = time.Minute

// WakeFuture makes the channel's uploads due now that were last changed more than
// a minute in the future: the clock has gone back since, and what they wait for
// would be as late as it has gone. It gives their number.
func (j *Journal) WakeFuture(ctx context.Context, ch upload.Channel, now time.Time) (int64, error) {
	w := where{}
	w.add(`channel = ?`, ch)
	w.add(`updated_at > ?`, at(now.Add(ahead)))
	return j.wake(ctx, "wake future", w, now)
}

func (j *Journal) wake(ctx context.Context, op string, w where, now time.Time) (woken int64, err error) {
	if err := j.begin(op); err != nil {
		return 0, err
	}
	w.add(isOpen())
	w.add(`next_attempt_at > ?`, at(now))
	err = j.transactLightly(ctx, func(t txn) error {
		woken, err = t.exec(ctx, `UPDATE uploads SET next_attempt_at = ?`+w.sql(), append([]any{at(now)}, w.args...)...)
		return err
	})
	if err == nil && woken > 0 {
		j.notify()
	}
	return woken, j.fail(op, err)
}
