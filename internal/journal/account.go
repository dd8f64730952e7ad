package journal

import (
	"context"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Account is what reports want to know of an upload: little enough to go through
// all of a year.
type Account struct {
	ID         upload.ID
	Seq        int64 // its row's number: the order of those that were spotted at once
	Channel    upload.Channel
	Kind       upload.Kind
	Filename   string
	Digest     string // empty: it was never read
	Rows       int64
	SourceSize int64
	PackedSize int64
	State      upload.State
	Verdict    upload.Verdict
	// Holds says that the upload has the right to deliver its content, or has
	// delivered it: a duplicate that does not is a copy of another upload.
	Holds     bool
	Receipt   *upload.Receipt
	SpottedAt time.Time
	SentAt    time.Time
	UpdatedAt time.Time
	Successor upload.ID // the next upload of the same file name; empty: none
}

// DecidedAt is when the verdict came, as near as is known; zero without one. The
// receipt of a content that was delivered before is older than the upload.
func (a Account) DecidedAt() time.Time {
	switch {
	case a.Verdict == "":
		return time.Time{}
	case a.Receipt != nil && a.Receipt.At.After(a.SpottedAt):
		return a.Receipt.At
	default:
		return a.UpdatedAt
	}
}

// Position is its place in the order of Accounts.
func (a Account) Position() Position { return positionOf(a.SpottedAt, a.Seq) }

const accountColumns = `id, seq, channel, kind, filename, digest, data_rows, source_size, packed_size, state, verdict, content_key, receipt,
	spotted_at, sent_at, updated_at, coalesce((SELECT n.id FROM uploads n
		WHERE n.channel = u.channel AND n.filename = u.filename AND n.seq > u.seq ORDER BY n.seq LIMIT 1), '')`

// Accounts calls each with the account of every upload that the filter selects,
// the earliest spotted first, in the order of their positions, and keeps none. each must not use the journal; its
// error ends the reading and is returned.
func (j *Journal) Accounts(ctx context.Context, f Filter, each func(a Account) error) error {
	const op = "read accounts"
	if err := j.begin(op); err != nil {
		return err
	}
	w := f.where()
	ctx, cancel := j.patient(ctx)
	defer cancel()
	rows, err := j.store.Read.QueryContext(ctx, j.Rebind(`SELECT `+accountColumns+` FROM uploads u`+w.sql()+` ORDER BY spotted_at, seq`), w.args...)
	if err != nil {
		return j.fail(op, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var a Account
		var key string
		if err := rows.Scan(&a.ID, &a.Seq, &a.Channel, &a.Kind, &a.Filename, &a.Digest, &a.Rows, &a.SourceSize, &a.PackedSize, &a.State, &a.Verdict,
			optional{&key}, receipt{&a.Receipt}, nanos{&a.SpottedAt}, nanos{&a.SentAt}, nanos{&a.UpdatedAt}, &a.Successor); err != nil {
			return j.fail(op, err)
		}
		a.Holds = key != ""
		if err := each(a); err != nil {
			return err
		}
	}
	return j.fail(op, rows.Err())
}
