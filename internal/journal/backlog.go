package journal

import (
	"context"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Backlog counts the uploads of a channel that wait in a state, open or failed.
type Backlog struct {
	Channel upload.Channel
	State   upload.State
	Files   int64
	Bytes   int64     // of the originals
	Oldest  time.Time // when the oldest of them was spotted
}

// Backlog counts what is not finished, by channel and state; what has none is
// not listed. Its cost does not grow with finished uploads.
func (j *Journal) Backlog(ctx context.Context) ([]Backlog, error) {
	const op = "count backlog"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	all, err := collect(ctx, j, func(b *Backlog) []any {
		return []any{&b.Channel, &b.State, &b.Files, &b.Bytes, nanos{&b.Oldest}}
	}, `SELECT channel || '', state, count(*), CAST(sum(source_size) AS BIGINT), min(spotted_at) FROM uploads
		WHERE finished_at IS NULL GROUP BY channel || '', state ORDER BY 1, 2`) // as an expression, lest the grouping choose an index of all rows
	return all, j.fail(op, err)
}

// Acceptance is the latest upload of a channel and kind that the server accepted.
type Acceptance struct {
	Channel  upload.Channel
	Kind     upload.Kind
	UploadID upload.ID
	At       time.Time
}

// LastAccepted gives the latest acceptance of each channel and kind that has one,
// also if the upload has been pruned since.
func (j *Journal) LastAccepted(ctx context.Context) ([]Acceptance, error) {
	const op = "read last accepted"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	all, err := collect(ctx, j, func(a *Acceptance) []any {
		return []any{&a.Channel, &a.Kind, &a.UploadID, nanos{&a.At}}
	}, `SELECT channel, kind, upload_id, at FROM last_accepted ORDER BY channel, kind`)
	return all, j.fail(op, err)
}

func noteAccepted(ctx context.Context, t txn, u upload.Upload) error {
	_, err := t.exec(ctx, `INSERT INTO last_accepted (channel, kind, upload_id, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (channel, kind) DO UPDATE SET upload_id = excluded.upload_id, at = excluded.at`,
		u.Channel, u.Kind, u.ID, at(u.UpdatedAt))
	return err
}
