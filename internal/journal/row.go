package journal

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// column is a column of uploads: where its value is in an Upload, as destination of
// a scan and as argument of a statement, and whether it is the same in two of them.
type column struct {
	name string
	ref  func(u *upload.Upload) any
	same func(a, b *upload.Upload) bool
}

// plain is a column that the database takes as it is.
func plain[T comparable](name string, at func(u *upload.Upload) *T) column {
	return stored(name, at, func(v *T) any { return v })
}

// moment is a column of a time.
func moment(name string, at func(u *upload.Upload) *time.Time) column {
	c := stored(name, at, func(t *time.Time) any { return nanos{t} })
	c.same = func(a, b *upload.Upload) bool { return at(a).Equal(*at(b)) }
	return c
}

// stored is a column whose value as says how it is stored.
func stored[T comparable](name string, at func(u *upload.Upload) *T, as func(v *T) any) column {
	return column{name, func(u *upload.Upload) any { return as(at(u)) }, func(a, b *upload.Upload) bool { return *at(a) == *at(b) }}
}

// columns is the one list of what is stored of an upload.
var columns = []column{
	plain("id", func(u *upload.Upload) *upload.ID { return &u.ID }),
	plain("batch_id", func(u *upload.Upload) *string { return &u.BatchID }),
	plain("channel", func(u *upload.Upload) *upload.Channel { return &u.Channel }),
	plain("kind", func(u *upload.Upload) *upload.Kind { return &u.Kind }),
	plain("filename", func(u *upload.Upload) *string { return &u.Filename }),
	stored("source_inode", func(u *upload.Upload) *uint64 { return &u.Source.Inode }, func(n *uint64) any { return bits{n} }),
	plain("source_size", func(u *upload.Upload) *int64 { return &u.Source.Size }),
	plain("source_mod_time", func(u *upload.Upload) *int64 { return &u.Source.ModTime }),
	plain("source_change_time", func(u *upload.Upload) *int64 { return &u.Source.ChangeTime }),
	plain("digest", func(u *upload.Upload) *string { return &u.Digest }),
	plain("data_rows", func(u *upload.Upload) *int64 { return &u.Rows }),
	plain("charset", func(u *upload.Upload) *string { return &u.Charset }),
	plain("standard", func(u *upload.Upload) *string { return &u.Standard }),
	plain("packed_size", func(u *upload.Upload) *int64 { return &u.PackedSize }),
	plain("packed_digest", func(u *upload.Upload) *string { return &u.PackedDigest }),
	plain("state", func(u *upload.Upload) *upload.State { return &u.State }),
	plain("verdict", func(u *upload.Upload) *upload.Verdict { return &u.Verdict }),
	plain("verdict_reason", func(u *upload.Upload) *upload.Reason { return &u.VerdictReason }),
	plain("reason", func(u *upload.Upload) *upload.Reason { return &u.Reason }),
	plain("detail", func(u *upload.Upload) *string { return &u.Detail }),
	plain("attempt", func(u *upload.Upload) *int { return &u.Attempt }),
	plain("polls", func(u *upload.Upload) *int { return &u.Polls }),
	plain("resume_at", func(u *upload.Upload) *upload.State { return &u.ResumeAt }),
	plain("forced", func(u *upload.Upload) *bool { return &u.Forced }),
	plain("replaces_id", func(u *upload.Upload) *upload.ID { return &u.ReplacesID }),
	stored("content_key", func(u *upload.Upload) *string { return &u.ContentKey }, func(s *string) any { return optional{s} }),
	plain("ticket_token", func(u *upload.Upload) *string { return &u.Ticket.Token }),
	plain("ticket_url", func(u *upload.Upload) *string { return &u.Ticket.URL }),
	plain("ticket_offset", func(u *upload.Upload) *int64 { return &u.Ticket.Offset }),
	moment("ticket_issued_at", func(u *upload.Upload) *time.Time { return &u.Ticket.IssuedAt }),
	plain("ticket_fate", func(u *upload.Upload) *upload.Fate { return &u.Ticket.Fate }),
	plain("ticket_unknowns", func(u *upload.Upload) *int { return &u.Ticket.Unknowns }),
	moment("ticket_unknown_since", func(u *upload.Upload) *time.Time { return &u.Ticket.UnknownSince }),
	{
		"receipt", func(u *upload.Upload) any { return receipt{&u.Receipt} },
		func(a, b *upload.Upload) bool { return reflect.DeepEqual(a.Receipt, b.Receipt) },
	},
	plain("findings_fatal", func(u *upload.Upload) *int64 { return &u.Findings.Fatal }),
	plain("findings_error", func(u *upload.Upload) *int64 { return &u.Findings.Error }),
	plain("findings_warning", func(u *upload.Upload) *int64 { return &u.Findings.Warning }),
	plain("place", func(u *upload.Upload) *upload.Place { return &u.Place }),
	plain("path", func(u *upload.Upload) *string { return &u.Path }),
	moment("spotted_at", func(u *upload.Upload) *time.Time { return &u.SpottedAt }),
	moment("updated_at", func(u *upload.Upload) *time.Time { return &u.UpdatedAt }),
	moment("next_attempt_at", func(u *upload.Upload) *time.Time { return &u.NextAttemptAt }),
	moment("sent_at", func(u *upload.Upload) *time.Time { return &u.SentAt }),
	moment("finished_at", func(u *upload.Upload) *time.Time { return &u.FinishedAt }),
	plain("trace_id", func(u *upload.Upload) *string { return &u.TraceID }),
	plain("root_span_id", func(u *upload.Upload) *string { return &u.RootSpanID }),
}

func columnNames() string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

func refs(u *upload.Upload) []any {
	all := make([]any, len(columns), len(columns)+2) // and what the caller puts beside them
	for i, c := range columns {
		all[i] = c.ref(u)
	}
	return all
}

// differences gives the assignments ("state = ?, …") and arguments that turn
// the stored before into after. Writing only what changed leaves the indices of
// the rest alone.
func differences(before, after *upload.Upload) (set []string, args []any) {
	for _, c := range columns {
		if !c.same(before, after) {
			set, args = append(set, c.name+" = ?"), append(args, c.ref(after))
		}
	}
	return set, args
}

// asStored makes the upload what it reads from the database as: whole nanoseconds in
// UTC, without a monotonic clock's reading. Its detail may quote anybody: what no
// database takes as text must not keep an outcome from being recorded.
func asStored(u *upload.Upload) {
	u.Detail = strings.ReplaceAll(strings.ToValidUTF8(u.Detail, "\ufffd"), "\x00", "\ufffd")
	for _, c := range columns {
		if n, ok := c.ref(u).(nanos); ok {
			*n.t = exact(*n.t)
		}
	}
	if u.Receipt != nil {
		copied := *u.Receipt
		copied.At = exact(copied.At)
		u.Receipt = &copied
	}
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
