package journal

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// column is a column of uploads and where its value is in an Upload. The
// reference serves as destination of a scan and as argument of a statement.
type column struct {
	name string
	ref  any
}

// columns is the one list of what is stored of an upload.
func columns(u *upload.Upload) []column {
	return []column{
		{"id", &u.ID},
		{"batch_id", &u.BatchID},
		{"channel", &u.Channel},
		{"kind", &u.Kind},
		{"filename", &u.Filename},
		{"source_inode", bits{&u.Source.Inode}},
		{"source_size", &u.Source.Size},
		{"source_mod_time", &u.Source.ModTime},
		{"source_change_time", &u.Source.ChangeTime},
		{"digest", &u.Digest},
		{"data_rows", &u.Rows},
		{"charset", &u.Charset},
		{"standard", &u.Standard},
		{"packed_size", &u.PackedSize},
		{"packed_digest", &u.PackedDigest},
		{"state", &u.State},
		{"verdict", &u.Verdict},
		{"verdict_reason", &u.VerdictReason},
		{"reason", &u.Reason},
		{"detail", &u.Detail},
		{"attempt", &u.Attempt},
		{"polls", &u.Polls},
		{"resume_at", &u.ResumeAt},
		{"forced", &u.Forced},
		{"replaces_id", &u.ReplacesID},
		{"content_key", optional{&u.ContentKey}},
		{"ticket_token", &u.Ticket.Token},
		{"ticket_url", &u.Ticket.URL},
		{"ticket_offset", &u.Ticket.Offset},
		{"ticket_issued_at", nanos{&u.Ticket.IssuedAt}},
		{"ticket_fate", &u.Ticket.Fate},
		{"ticket_unknowns", &u.Ticket.Unknowns},
		{"ticket_unknown_since", nanos{&u.Ticket.UnknownSince}},
		{"receipt", receipt{&u.Receipt}},
		{"findings_fatal", &u.Findings.Fatal},
		{"findings_error", &u.Findings.Error},
		{"findings_warning", &u.Findings.Warning},
		{"place", &u.Place},
		{"path", &u.Path},
		{"spotted_at", nanos{&u.SpottedAt}},
		{"updated_at", nanos{&u.UpdatedAt}},
		{"next_attempt_at", nanos{&u.NextAttemptAt}},
		{"sent_at", nanos{&u.SentAt}},
		{"finished_at", nanos{&u.FinishedAt}},
		{"trace_id", &u.TraceID},
		{"root_span_id", &u.RootSpanID},
	}
}

func columnNames() string {
	cols := columns(&upload.Upload{})
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

func refs(u *upload.Upload) []any {
	cols := columns(u)
	all := make([]any, len(cols))
	for i, c := range cols {
		all[i] = c.ref
	}
	return all
}

// differences gives the assignments ("state = ?, …") and arguments that turn
// the stored before into after. Writing only what changed leaves the indices of
// the rest alone.
func differences(before, after *upload.Upload) (set []string, args []any, err error) {
	old := columns(before)
	for i, c := range columns(after) {
		a, err := driver.DefaultParameterConverter.ConvertValue(old[i].ref)
		if err != nil {
			return nil, nil, fmt.Errorf("column %s: %w", c.name, err)
		}
		b, err := driver.DefaultParameterConverter.ConvertValue(c.ref)
		if err != nil {
			return nil, nil, fmt.Errorf("column %s: %w", c.name, err)
		}
		if a != b {
			set, args = append(set, c.name+" = ?"), append(args, b)
		}
	}
	return set, args, nil
}

// stored gives the upload as it reads from the database: whole nanoseconds in
// UTC, without a monotonic clock's reading. Its detail may quote anybody: what no
// database takes as text must not keep an outcome from being recorded.
func stored(u upload.Upload) upload.Upload {
	u.Detail = strings.ReplaceAll(strings.ToValidUTF8(u.Detail, "\ufffd"), "\x00", "\ufffd")
	for _, c := range columns(&u) {
		switch r := c.ref.(type) {
		case nanos:
			*r.t = exact(*r.t)
		case receipt:
			if *r.r != nil {
				copied := **r.r
				copied.At = exact(copied.At)
				*r.r = &copied
			}
		}
	}
	return u
}

func exact(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.Unix(0, t.UnixNano()).UTC()
}

var errColumnType = errors.New("unexpected type of column")

// nanos keeps a time as nanoseconds since the Unix epoch; NULL is the zero time.
type nanos struct{ t *time.Time }

// Scan implements sql.Scanner.
func (n nanos) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*n.t = time.Time{}
	case int64:
		*n.t = time.Unix(0, v).UTC()
	default:
		return fmt.Errorf("%w: %T", errColumnType, src)
	}
	return nil
}

// Value implements driver.Valuer.
func (n nanos) Value() (driver.Value, error) {
	if n.t.IsZero() {
		return nil, nil
	}
	return n.t.UnixNano(), nil
}

// at is a time as an argument.
func at(t time.Time) nanos { return nanos{&t} }

// bits keeps an unsigned number in a signed column, bit by bit.
type bits struct{ n *uint64 }

// Scan implements sql.Scanner.
func (b bits) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%w: %T", errColumnType, src)
	}
	*b.n = uint64(v) //nolint:gosec // the bits are what counts
	return nil
}

// Value implements driver.Valuer.
func (b bits) Value() (driver.Value, error) {
	return int64(*b.n), nil //nolint:gosec // the bits are what counts
}

// optional keeps an empty text as NULL, so that unique indices pass it over.
type optional struct{ s *string }

// Scan implements sql.Scanner.
func (o optional) Scan(src any) error {
	v, err := text(src)
	*o.s = v
	return err
}

// Value implements driver.Valuer.
func (o optional) Value() (driver.Value, error) {
	if *o.s == "" {
		return nil, nil
	}
	return *o.s, nil
}

// receipt keeps a receipt as JSON, the server's stack included; NULL is none.
type receipt struct{ r **upload.Receipt }

type storedReceipt struct {
	*upload.Receipt
	Stack string `json:"stack,omitempty"`
}

// Scan implements sql.Scanner.
func (r receipt) Scan(src any) error {
	*r.r = nil
	v, err := text(src)
	if err != nil || v == "" {
		return err
	}
	s := storedReceipt{Receipt: &upload.Receipt{}}
	if err := json.Unmarshal([]byte(v), &s); err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	s.Receipt.Stack = s.Stack
	*r.r = s.Receipt
	return nil
}

// Value implements driver.Valuer.
func (r receipt) Value() (driver.Value, error) {
	if *r.r == nil {
		return nil, nil
	}
	b, err := json.Marshal(storedReceipt{Receipt: *r.r, Stack: (*r.r).Stack})
	if err != nil {
		return nil, fmt.Errorf("write receipt: %w", err)
	}
	return string(b), nil
}

// params keeps a finding's parameters as JSON; empty is none.
type params struct{ m *map[string]string }

// Scan implements sql.Scanner.
func (p params) Scan(src any) error {
	*p.m = nil
	v, err := text(src)
	if err != nil || v == "" {
		return err
	}
	return json.Unmarshal([]byte(v), p.m)
}

// Value implements driver.Valuer.
func (p params) Value() (driver.Value, error) {
	if len(*p.m) == 0 {
		return "", nil
	}
	b, err := json.Marshal(*p.m)
	return string(b), err
}

func text(src any) (string, error) {
	switch v := src.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	default:
		return "", fmt.Errorf("%w: %T", errColumnType, src)
	}
}
