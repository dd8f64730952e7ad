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

// Rebuilt names the events of rows that Readmit wrote.
const Rebuilt = "rebuilt"

// Readmit writes uploads as another record has them, all in one transaction: it
// is for a journal that lost them. An upload that the journal does not know is
// inserted; one that is behind (see behind) is brought up to what is given; any
// other is left alone. The number written is returned.
//
// Where two rows claim the same, the law of the journal is kept: a content whose
// delivery has a verdict stays with that upload, else it passes to the one
// readmitted last; of two open uploads of one file the earlier ends.
func (j *Journal) Readmit(ctx context.Context, all []upload.Upload, now time.Time) (written int, err error) {
	const op = "readmit"
	if err := j.begin(op); err != nil {
		return 0, err
	}
	err = j.transact(ctx, func(t txn) error {
		written = 0
		for _, u := range all {
			asStored(&u)
			n, err := j.readmit(ctx, t, u, now)
			if err != nil {
				return fmt.Errorf("upload %s: %w", u.ID, err)
			}
			written += n
		}
		return nil
	})
	if err == nil && written > 0 {
		j.notify()
	}
	return written, j.fail(op, err)
}

// Empty reports whether the journal has never heard of any upload.
func (j *Journal) Empty(ctx context.Context) (bool, error) {
	const op = "look whether there is anything"
	if err := j.begin(op); err != nil {
		return false, err
	}
	var some int
	err := j.row(ctx, `SELECT CASE WHEN EXISTS (SELECT 1 FROM uploads) OR EXISTS (SELECT 1 FROM delivered) THEN 1 ELSE 0 END`).Scan(&some)
	return some == 0, j.fail(op, err)
}

func (j *Journal) readmit(ctx context.Context, t txn, u upload.Upload, now time.Time) (int, error) {
	have, err := j.load(ctx, t, u.ID)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	if known {
		late, err := behind(ctx, t, have.Upload, u)
		if err != nil || !late {
			return 0, err
		}
	}
	if err := makeRoom(ctx, t, &u, now); err != nil {
		return 0, err
	}
	if err := put(ctx, t, known, have, u); err != nil {
		return 0, err
	}
	if !u.Ticket.IsZero() {
		if err := addTicket(ctx, t, u, u.Ticket); err != nil {
			return 0, err
		}
	}
	if u.Verdict == upload.Accepted && have.Verdict != upload.Accepted {
		if err := noteAccepted(ctx, t, u); err != nil {
			return 0, err
		}
	}
	return 1, addEvent(ctx, t, upload.Event{
		UploadID: u.ID, Channel: u.Channel, At: now, Name: Rebuilt,
		From: have.State, To: u.State, Verdict: u.Verdict, Reason: upload.JournalRebuilt,
	})
}

// behind reports whether the row is older than what is given: a ticket it has
// never heard of, or a verdict or an end that it has not come to.
func behind(ctx context.Context, t txn, have, u upload.Upload) (bool, error) {
	if !have.UpdatedAt.Before(u.UpdatedAt) || have.State == upload.StateDecided {
		return false, nil
	}
	if u.Verdict == "" && u.State.Open() {
		if !have.State.Open() {
			return false, nil
		}
		var n int
		err := t.row(ctx, `SELECT count(*) FROM tickets WHERE upload_id = ? AND token = ? AND url = ?`,
			u.ID, u.Ticket.Token, u.Ticket.URL).Scan(&n)
		return n == 0, err
	}
	return !have.State.Final() || have.Verdict == upload.Unresolved && u.Verdict != upload.Unresolved, nil
}

// makeRoom takes from other rows what u claims, or from u what is another's for
// good.
func makeRoom(ctx context.Context, t txn, u *upload.Upload, now time.Time) error {
	if u.State.Open() {
		if err := end(ctx, t, `channel = ? AND filename = ? AND id <> ? AND `+isOpen(), now, u.Channel, u.Filename, u.ID); err != nil {
			return err
		}
	}
	if u.ContentKey == "" {
		return nil
	}
	var settled int
	err := t.row(ctx, `SELECT (SELECT count(*) FROM uploads WHERE channel = ? AND content_key = ? AND id <> ?
			AND verdict IN ('accepted', 'duplicate', 'partially_accepted'))
		+ (SELECT count(*) FROM delivered WHERE channel = ? AND digest = ? AND upload_id <> ?)`,
		u.Channel, u.ContentKey, u.ID, u.Channel, u.ContentKey, u.ID).Scan(&settled)
	if err != nil {
		return err
	}
	if settled > 0 {
		u.ContentKey = ""
		if u.Verdict == upload.Accepted && u.VerdictReason == upload.JournalRebuilt {
			u.Verdict = upload.Duplicate // one of them was
		}
		if u.Verdict == "" && u.State.Open() { // its delivery can only have been the other's
			u.State, u.NextAttemptAt, u.FinishedAt = upload.StateCancelled, time.Time{}, now
		}
		return nil
	}
	if err := end(ctx, t, `channel = ? AND content_key = ? AND id <> ? AND `+isOpen(), now, u.Channel, u.ContentKey, u.ID); err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE uploads SET content_key = NULL WHERE channel = ? AND content_key = ? AND id <> ?`, u.Channel, u.ContentKey, u.ID)
	return err
}

// end ends open rows whose place another takes.
func end(ctx context.Context, t txn, where string, now time.Time, args ...any) error {
	_, err := t.exec(ctx, `UPDATE uploads SET state = CASE WHEN verdict = '' THEN 'cancelled' ELSE 'retired' END,
		place = 'gone', path = '', reason = ?, detail = '', next_attempt_at = NULL, finished_at = ?,
		lease_owner = NULL, lease_until = NULL, fence = fence + 1 WHERE `+where,
		append([]any{upload.JournalRebuilt, at(now)}, args...)...)
	return err
}

func put(ctx context.Context, t txn, known bool, have held, u upload.Upload) error {
	if !known {
		args := refs(&u)
		_, err := t.exec(ctx, `INSERT INTO uploads (`+columnNames()+`) VALUES (`+marks(len(args))+`)`, args...)
		return err
	}
	set, args := differences(&have.Upload, &u)
	set = append(set, "lease_owner = NULL", "lease_until = NULL", "fence = fence + 1")
	_, err := t.exec(ctx, `UPDATE uploads SET `+strings.Join(set, ", ")+` WHERE id = ?`, append(args, u.ID)...)
	return err
}

// addTicket adds a ticket to the history of its content, or brings it up to date.
func addTicket(ctx context.Context, t txn, u upload.Upload, ticket upload.Ticket) error {
	_, err := t.exec(ctx, `INSERT INTO tickets (upload_id, channel, digest, token, url, ticket_offset, issued_at, fate) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (upload_id, token, url) DO UPDATE SET ticket_offset = excluded.ticket_offset, fate = excluded.fate`,
		u.ID, u.Channel, u.Digest, ticket.Token, ticket.URL, ticket.Offset, at(ticket.IssuedAt), ticket.Fate)
	return err
}
