package journal

import (
	"context"
	"strconv"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const eventColumns = `seq, upload_id, channel, at, name, from_state, to_state, verdict, reason, detail, attempt`

func eventRefs(e *upload.Event) []any {
	return []any{
		&e.Seq, &e.UploadID, &e.Channel, nanos{&e.At}, &e.Name, &e.From, &e.To, &e.Verdict, &e.Reason, &e.Detail, &e.Attempt,
	}
}

// eventOf is the change that made u what it is.
func eventOf(name string, from upload.State, u upload.Upload) upload.Event {
	return upload.Event{
		UploadID: u.ID, Channel: u.Channel, At: u.UpdatedAt, Name: name,
		From: from, To: u.State, Verdict: u.Verdict, Reason: u.Reason, Detail: u.Detail, Attempt: u.Attempt,
	}
}

func addEvent(ctx context.Context, t txn, e upload.Event) error {
	args := eventRefs(&e)[1:] // the number is given by the database
	_, err := t.exec(ctx, insertEvent, args...)
	return err
}

var insertEvent = func() string {
	columns := strings.TrimPrefix(eventColumns, "seq, ")
	return `INSERT INTO events (` + columns + `) VALUES (` + marks(1+strings.Count(columns, ",")) + `)`
}()

// Events are all changes of an upload, the first one first.
func (j *Journal) Events(ctx context.Context, id upload.ID) ([]upload.Event, error) {
	const op = "read events"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	all, err := collect(ctx, j, eventRefs, `SELECT `+eventColumns+` FROM events WHERE upload_id = ? ORDER BY seq`, id)
	return all, j.fail(op, err)
}

// EventsAfter are at most limit changes of all uploads after number seq, in order.
func (j *Journal) EventsAfter(ctx context.Context, seq int64, limit int) ([]upload.Event, error) {
	const op = "read events after"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	all, err := collect(ctx, j, eventRefs, `SELECT `+eventColumns+` FROM events WHERE seq > ? ORDER BY seq LIMIT `+strconv.Itoa(limit), seq) // in the text: see candidates.query
	return all, j.fail(op, err)
}

// LastEvent is the number of the latest event, 0 if there is none: where a
// reader begins that wants the news only.
func (j *Journal) LastEvent(ctx context.Context) (seq int64, err error) {
	const op = "read last event"
	if err := j.begin(op); err != nil {
		return 0, err
	}
	err = j.row(ctx, `SELECT coalesce(max(seq), 0) FROM events`).Scan(&seq)
	return seq, j.fail(op, err)
}
