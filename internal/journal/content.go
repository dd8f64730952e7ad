package journal

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Holder is the upload, other than except, that holds the right to deliver the
// content, or that delivered it. Of an upload pruned long ago only ID, channel,
// digest, verdict and the time it finished are known; its state is retired.
func (j *Journal) Holder(ctx context.Context, ch upload.Channel, digest string, except upload.ID) (upload.Upload, bool, error) {
	const op = "find holder of content"
	if err := j.begin(op); err != nil {
		return upload.Upload{}, false, err
	}
	u, found, err := j.holder(ctx, ch, digest, except)
	return u, found, j.fail(op, err)
}

// holder asks once whether there is one, since there hardly ever is, and only then
// who it is.
func (j *Journal) holder(ctx context.Context, ch upload.Channel, digest string, except upload.ID) (upload.Upload, bool, error) {
	var u upload.Upload
	var some bool
	err := j.row(ctx, `SELECT EXISTS (SELECT 1 FROM uploads WHERE channel = ? AND content_key = ? AND id <> ?)
		OR EXISTS (SELECT 1 FROM delivered WHERE channel = ? AND digest = ? AND upload_id <> ?)`, ch, digest, except, ch, digest, except).Scan(&some)
	if err != nil || !some {
		return upload.Upload{}, false, err
	}
	err = j.row(ctx, `SELECT `+j.columns+` FROM uploads WHERE channel = ? AND content_key = ? AND id <> ?`,
		ch, digest, except).Scan(refs(&u)...)
	if err == nil {
		return u, true, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return upload.Upload{}, false, err
	}
	return j.delivered(ctx, ch, digest, except)
}

func (j *Journal) delivered(ctx context.Context, ch upload.Channel, digest string, except upload.ID) (upload.Upload, bool, error) {
	u := upload.Upload{Channel: ch, Digest: digest, ContentKey: digest, State: upload.StateRetired, Place: upload.Gone}
	err := j.row(ctx, `SELECT upload_id, verdict, at FROM delivered WHERE channel = ? AND digest = ? AND upload_id <> ?`,
		ch, digest, except).Scan(&u.ID, &u.Verdict, nanos{&u.FinishedAt})
	if errors.Is(err, sql.ErrNoRows) {
		return upload.Upload{}, false, nil
	}
	return u, err == nil, err
}

// notDelivered guards the content key against uploads that have been pruned.
func notDelivered(ctx context.Context, t txn, u upload.Upload) error {
	var n int
	err := t.row(ctx, `SELECT count(*) FROM delivered WHERE channel = ? AND digest = ? AND upload_id <> ?`,
		u.Channel, u.ContentKey, u.ID).Scan(&n)
	if err == nil && n > 0 {
		err = ErrContentTaken
	}
	return err
}

// KeepTicket makes the server's permission durable before the first byte goes
// out under it, or its progress while bytes go, together with the size and digest
// of the packed bytes as u has them. It is guarded by id, fence and
// state, as Record is.
func (j *Journal) KeepTicket(ctx context.Context, u upload.Upload, ticket upload.Ticket, now time.Time) error {
	const op = "keep ticket"
	if err := j.begin(op); err != nil {
		return err
	}
	return j.fail(op, j.transact(ctx, func(t txn) error {
		before, isKnown := t.rows.row(u.ID)
		n, err := t.execOn(ctx, u.ID, `UPDATE uploads SET ticket_token = ?, ticket_url = ?, ticket_offset = ?, ticket_issued_at = ?,
			ticket_fate = ?, ticket_unknowns = ?, ticket_unknown_since = ?, packed_size = ?, packed_digest = ?, updated_at = ?`+heldBy+` AND state = ?`,
			ticket.Token, ticket.URL, ticket.Offset, at(ticket.IssuedAt), ticket.Fate, ticket.Unknowns, at(ticket.UnknownSince),
			u.PackedSize, u.PackedDigest, at(now), u.ID, u.Fence, u.State)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrLeaseLost
		}
		if isKnown {
			before.Ticket, before.PackedSize, before.PackedDigest, before.UpdatedAt = ticket, u.PackedSize, u.PackedDigest, now
			asStored(&before.Upload)
			t.rows.reads(before)
		}
		return addTicket(ctx, t, u, ticket)
	}))
}

// noteFate brings the ticket's history up to what the row says. An adopted
// ticket was issued to another upload of the same content.
func noteFate(ctx context.Context, t txn, u upload.Upload) error {
	_, err := t.exec(ctx, `UPDATE tickets SET fate = ?, ticket_offset = ? WHERE channel = ? AND digest = ? AND token = ? AND url = ?`,
		u.Ticket.Fate, u.Ticket.Offset, u.Channel, u.Digest, u.Ticket.Token, u.Ticket.URL)
	return err
}

// EarlierTickets are all tickets ever issued for a content, the latest first.
func (j *Journal) EarlierTickets(ctx context.Context, ch upload.Channel, digest string) ([]upload.Ticket, error) {
	const op = "read earlier tickets"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	all, err := collect(ctx, j, func(t *upload.Ticket) []any {
		return []any{&t.Token, &t.URL, &t.Offset, nanos{&t.IssuedAt}, &t.Fate}
	}, `SELECT token, url, ticket_offset, issued_at, fate FROM tickets WHERE channel = ? AND digest = ? ORDER BY n DESC`, ch, digest)
	return all, j.fail(op, err)
}
