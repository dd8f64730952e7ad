package journal

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Alert is something that people are told of, as the journal keeps it. What its
// fields mean is package alert's to decide.
type Alert struct {
	ID       string
	Key      string // one open alert for each
	Event    string
	Severity string // critical, warning
	Channel  upload.Channel
	Kind     upload.Kind
	Subject  string
	Params   map[string]string // of its words
	Files    []AlertFile       // the files concerned that are known by name

	Count   int64 // occurrences
	Settled int64 // of them, those that are over

	OpenedAt       time.Time
	UpdatedAt      time.Time
	AcknowledgedAt time.Time
	AcknowledgedBy string
	ResolvedAt     time.Time

	DueAt      time.Time // of the next message; zero: none is to be sent
	Attempt    int       // failures of the next message
	LastError  string
	Deliveries int64 // messages that arrived
	Told       int64 // occurrences in the last of them
	ToldAt     time.Time

	ClaimedAt  time.Time
	ClaimUntil time.Time
	Fence      int64
}

// AlertFile is a file that an alert is about.
type AlertFile struct {
	Name     string    `json:"name"`
	UploadID upload.ID `json:"upload_id"`
}

// AlertDelivery is one attempt to send a message.
type AlertDelivery struct {
	AlertID string
	At      time.Time
	Notice  string
	OK      bool
	Detail  string
	Attempt int
}

const alertColumns = `id, alert_key, event, severity, channel, kind, subject, params, files, occurrences, settled,
	opened_at, updated_at, acknowledged_at, acknowledged_by, resolved_at, due_at, attempt, last_error,
	deliveries, told, told_at, claimed_at, claim_until, fence`

func alertRefs(a *Alert) []any {
	return []any{
		&a.ID, &a.Key, &a.Event, &a.Severity, &a.Channel, &a.Kind, &a.Subject,
		inJSON[map[string]string]{&a.Params},
		inJSON[[]AlertFile]{&a.Files},
		&a.Count, &a.Settled,
		nanos{&a.OpenedAt},
		nanos{&a.UpdatedAt},
		nanos{&a.AcknowledgedAt},
		&a.AcknowledgedBy,
		nanos{&a.ResolvedAt},
		nanos{&a.DueAt},
		&a.Attempt, &a.LastError, &a.Deliveries, &a.Told,
		nanos{&a.ToldAt},
		nanos{&a.ClaimedAt},
		nanos{&a.ClaimUntil},
		&a.Fence,
	}
}

// inJSON keeps a value as JSON text.
type inJSON[T any] struct{ v *T }

// Scan implements sql.Scanner.
func (c inJSON[T]) Scan(src any) error {
	var v T // afresh: what was there may be another row's
	s, err := text(src)
	if err == nil {
		err = json.Unmarshal([]byte(s), &v)
	}
	*c.v = v
	return err
}

// Value implements driver.Valuer.
func (c inJSON[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(*c.v)
	return string(b), err
}

// AlertTx changes alerts within one transaction.
type AlertTx struct{ t txn }

// metaAlertCursor is the number of the last event that alerts were made of.
const metaAlertCursor = "alert_cursor"

// ChangeAlerts runs change in one transaction: all of it is durable when it
// returns nil, none of it otherwise. change may run several times, and must not
// use the journal but through t.
func (j *Journal) ChangeAlerts(ctx context.Context, change func(ctx context.Context, t AlertTx) error) error {
	const op = "change alerts"
	if err := j.begin(op); err != nil {
		return err
	}
	const tries = 3
	var err error
	for range tries { // another process may open the same alert at the same moment
		err = j.transact(ctx, func(t txn) error { return change(ctx, AlertTx{t}) })
		if j.trouble(err) != NotUnique {
			break
		}
	}
	return j.fail(op, err)
}

func (t AlertTx) one(ctx context.Context, where string, args ...any) (Alert, bool, error) {
	var a Alert
	err := t.t.row(ctx, `SELECT `+alertColumns+` FROM alerts WHERE `+where+t.t.d.ForUpdate, args...).Scan(alertRefs(&a)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Alert{}, false, nil
	}
	return a, err == nil, err
}

// Open is the alert of the key that is not resolved, if there is one.
func (t AlertTx) Open(ctx context.Context, key string) (Alert, bool, error) {
	return t.one(ctx, `alert_key = ? AND resolved_at IS NULL`, key)
}

// Get is the alert with the id, or ErrNotFound.
func (t AlertTx) Get(ctx context.Context, id string) (Alert, error) {
	a, found, err := t.one(ctx, `id = ?`, id)
	if err == nil && !found {
		err = ErrNotFound
	}
	return a, err
}

// Save puts a in place of the row of its id, or adds it.
func (t AlertTx) Save(ctx context.Context, a Alert) error {
	args := alertRefs(&a)
	_, err := t.t.exec(ctx, `INSERT INTO alerts (`+alertColumns+`) VALUES (`+marks(len(args))+`)
		ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, params = excluded.params, files = excluded.files,
			occurrences = excluded.occurrences, settled = excluded.settled, updated_at = excluded.updated_at,
			acknowledged_at = excluded.acknowledged_at, acknowledged_by = excluded.acknowledged_by, resolved_at = excluded.resolved_at,
			due_at = excluded.due_at, attempt = excluded.attempt, last_error = excluded.last_error, deliveries = excluded.deliveries,
			told = excluded.told, told_at = excluded.told_at, claimed_at = excluded.claimed_at, claim_until = excluded.claim_until, fence = excluded.fence`,
		args...)
	return err
}

// Note keeps an attempt to send a message.
func (t AlertTx) Note(ctx context.Context, d AlertDelivery) error {
	result := "failed"
	if d.OK {
		result = "delivered"
	}
	_, err := t.t.exec(ctx, `INSERT INTO alert_deliveries (alert_id, at, notice, result, detail, attempt) VALUES (?, ?, ?, ?, ?, ?)`,
		d.AlertID, at(d.At), d.Notice, result, d.Detail, d.Attempt)
	return err
}

// Cursor is the number of the last event that alerts were made of; known is
// false where none ever were.
func (t AlertTx) Cursor(ctx context.Context) (seq int64, known bool, err error) {
	var value string
	err = t.t.row(ctx, `SELECT value FROM meta WHERE name = ?`+t.t.d.ForUpdate, metaAlertCursor).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	seq, err = strconv.ParseInt(value, 10, 64)
	return seq, err == nil, err
}

// SetCursor keeps the number of the last event that alerts were made of.
func (t AlertTx) SetCursor(ctx context.Context, seq int64) error {
	_, err := t.t.exec(ctx, `INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
		metaAlertCursor, strconv.FormatInt(seq, 10))
	return err
}

// OpenAlerts are those not resolved, the oldest first.
func (j *Journal) OpenAlerts(ctx context.Context) ([]Alert, error) {
	const op = "read open alerts"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	all, err := collect(ctx, j, alertRefs, `SELECT `+alertColumns+` FROM alerts WHERE resolved_at IS NULL ORDER BY seq`)
	return all, j.fail(op, err)
}

// AlertPage is a part of a list of alerts.
type AlertPage struct {
	Alerts []Alert
	Next   string // cursor of what follows; empty: that was all
}

type listedAlert struct {
	Alert
	seq int64
}

// ListAlerts gives the alerts, all or those not resolved, the latest opened
// first, from behind the cursor of an earlier page. ErrBadCursor: it is no cursor
// of ours.
func (j *Journal) ListAlerts(ctx context.Context, openOnly bool, cursor string, limit int) (AlertPage, error) {
	const op = "list alerts"
	if err := j.begin(op); err != nil {
		return AlertPage{}, err
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	w := where{}
	if openOnly {
		w.add(`resolved_at IS NULL`)
	}
	if cursor != "" {
		seq, err := parseAlertCursor(cursor)
		if err != nil {
			return AlertPage{}, fmt.Errorf("%s: %w", op, err)
		}
		w.add(`seq < ?`, seq)
	}
	rows, err := collect(ctx, j, func(r *listedAlert) []any { return append([]any{&r.seq}, alertRefs(&r.Alert)...) },
		`SELECT seq, `+alertColumns+` FROM alerts`+w.sql()+` ORDER BY seq DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return AlertPage{}, j.fail(op, err)
	}
	var page AlertPage
	for _, r := range rows[:min(len(rows), limit)] {
		page.Alerts = append(page.Alerts, r.Alert)
	}
	if len(rows) > limit {
		page.Next = alertCursor(rows[limit-1].seq)
	}
	return page, nil
}

func alertCursor(seq int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "a.%d", seq))
}

func parseAlertCursor(s string) (int64, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, ErrBadCursor
	}
	var seq int64
	if _, err := fmt.Sscanf(string(b), "a.%d", &seq); err != nil || alertCursor(seq) != s {
		return 0, ErrBadCursor
	}
	return seq, nil
}

// ClaimAlert gives the alert whose message is the longest due, to be sent until
// the lease ends; nothing while the last claim of anybody is younger than apart.
func (j *Journal) ClaimAlert(ctx context.Context, now time.Time, lease, apart time.Duration) (a Alert, found bool, err error) {
	const op = "claim alert"
	if err := j.begin(op); err != nil {
		return a, false, err
	}
	err = j.transact(ctx, func(t txn) error {
		a, found = Alert{}, false
		var recent int
		if err := t.row(ctx, `SELECT count(*) FROM alerts WHERE claimed_at > ? AND claimed_at <= ?`, at(now.Add(-apart)), at(now)).Scan(&recent); err != nil || recent > 0 {
			return err
		}
		scanned := t.row(ctx, `SELECT `+alertColumns+` FROM alerts
			WHERE due_at IS NOT NULL AND due_at <= ? AND (claim_until IS NULL OR claim_until <= ?) ORDER BY due_at, seq LIMIT 1`+t.d.SkipLocked, at(now), at(now))
		if err := scanned.Scan(alertRefs(&a)...); err != nil {
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return err
		}
		found = true
		a.ClaimedAt, a.ClaimUntil, a.Fence = exact(now), exact(now.Add(lease)), a.Fence+1
		_, err := t.exec(ctx, `UPDATE alerts SET claimed_at = ?, claim_until = ?, fence = ? WHERE id = ?`, at(a.ClaimedAt), at(a.ClaimUntil), a.Fence, a.ID)
		return err
	})
	return a, found, j.fail(op, err)
}

// WakeFutureAlerts makes the messages due now of alerts that were changed, sent or
// claimed more than a minute in the future: the clock has gone back since, and people
// would be told as late as it has gone. It gives their number.
func (j *Journal) WakeFutureAlerts(ctx context.Context, now time.Time) (int64, error) {
	const op = "wake future alerts"
	if err := j.begin(op); err != nil {
		return 0, err
	}
	var n int64
	err := j.transact(ctx, func(t txn) (err error) {
		limit := at(now.Add(ahead))
		n, err = t.exec(ctx, `UPDATE alerts SET due_at = ?, claim_until = NULL
			WHERE due_at > ? AND (updated_at > ? OR told_at > ? OR claimed_at > ?)`, at(now), at(now), limit, limit, limit)
		return err
	})
	return n, j.fail(op, err)
}

// PruneAlerts removes at most limit alerts that were resolved before the time
// given and of which no message is to be sent, with their deliveries.
func (j *Journal) PruneAlerts(ctx context.Context, before time.Time, limit int) (int64, error) {
	const op = "prune alerts"
	if err := j.begin(op); err != nil {
		return 0, err
	}
	var n int64
	err := j.transact(ctx, func(t txn) (err error) {
		n, err = t.exec(ctx, `DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE resolved_at < ? AND due_at IS NULL LIMIT ?)`, at(before), limit)
		return err
	})
	return n, j.fail(op, err)
}

// AlertDeliveries are the attempts to send messages of an alert, the first one first.
func (j *Journal) AlertDeliveries(ctx context.Context, id string) ([]AlertDelivery, error) {
	const op = "read alert deliveries"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	all, err := collect(ctx, j, func(d *AlertDelivery) []any {
		return []any{&d.AlertID, nanos{&d.At}, &d.Notice, (*delivered)(&d.OK), &d.Detail, &d.Attempt}
	}, `SELECT alert_id, at, notice, result, detail, attempt FROM alert_deliveries WHERE alert_id = ? ORDER BY seq`, id)
	return all, j.fail(op, err)
}

// delivered reads a result.
type delivered bool

// Scan implements sql.Scanner.
func (d *delivered) Scan(src any) error {
	s, err := text(src)
	*d = s == "delivered"
	return err
}
