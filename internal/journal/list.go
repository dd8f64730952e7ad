package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Get is the upload with the id, or ErrNotFound.
func (j *Journal) Get(ctx context.Context, id upload.ID) (upload.Upload, error) {
	const op = "read upload"
	if err := j.begin(op); err != nil {
		return upload.Upload{}, err
	}
	var u upload.Upload
	err := j.row(ctx, `SELECT `+j.columns+` FROM uploads WHERE id = ?`, id).Scan(refs(&u)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return u, j.fail(op, err)
}

// Live reports whether there is, or may again be, work to do for the upload, so
// that its packed copy must stay: it is open or failed.
func (j *Journal) Live(ctx context.Context, id upload.ID) (bool, error) {
	u, err := j.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return u.State.Open() || u.State == upload.StateFailed, err
}

// Filter selects uploads; empty fields select all.
type Filter struct {
	Channels    []upload.Channel
	Kinds       []upload.Kind
	States      []upload.State
	Verdicts    []upload.Verdict
	Reasons     []upload.Reason
	BatchID     string
	Filename    string // part of the name, in either case
	SpottedFrom time.Time
	SpottedTo   time.Time // excluded
}

// Page is a part of a list.
type Page struct {
	Uploads []upload.Upload
	Next    string // cursor of what follows; empty: that was all
}

// DefaultLimit is the length of a page for which none is asked.
const DefaultLimit = 50

// List gives the uploads that the filter selects, the latest spotted first, from
// behind the cursor of an earlier page (empty: from the start). Uploads spotted
// meanwhile do not shift later pages. ErrBadCursor: it is no cursor of ours.
func (j *Journal) List(ctx context.Context, f Filter, cursor string, limit int) (Page, error) {
	const op = "list uploads"
	if err := j.begin(op); err != nil {
		return Page{}, err
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	w := f.where()
	if cursor != "" {
		p, err := ParsePosition(cursor)
		if err != nil {
			return Page{}, fmt.Errorf("%s: %w", op, err)
		}
		w.add(`(spotted_at, seq) < (?, ?)`, p.Spotted, p.Seq)
	}
	rows, err := collect(ctx, j, func(r *listed) []any {
		return append([]any{&r.seq}, refs(&r.Upload)...)
	}, `SELECT seq, `+j.columns+` FROM uploads`+w.sql()+` ORDER BY spotted_at DESC, seq DESC LIMIT `+strconv.Itoa(fewOf(limit+1)), w.args...) // in the text: see candidates.query
	if err != nil {
		return Page{}, j.fail(op, err)
	}
	page := Page{Uploads: make([]upload.Upload, 0, min(len(rows), limit))}
	for _, r := range rows[:min(len(rows), limit)] {
		page.Uploads = append(page.Uploads, r.Upload)
	}
	if len(rows) > limit {
		last := rows[limit-1]
		page.Next = positionOf(last.SpottedAt, last.seq).String()
	}
	return page, nil
}

type listed struct {
	upload.Upload
	seq int64
}

func (f Filter) where() where {
	w := where{}
	if len(f.States) > 0 && !slices.ContainsFunc(f.States, upload.State.Final) {
		w.add(`finished_at IS NULL`) // a small index holds these alone
	}
	if len(f.Verdicts) > 0 && !slices.Contains(f.Verdicts, upload.Accepted) && !slices.Contains(f.Verdicts, "") {
		w.add(`verdict NOT IN ('', 'accepted')`) // and another one these
	}
	oneOf(&w, `channel`, f.Channels)
	oneOf(&w, `kind`, f.Kinds)
	oneOf(&w, `state`, f.States)
	oneOf(&w, `verdict`, f.Verdicts)
	oneOf(&w, `reason`, f.Reasons)
	if f.BatchID != "" {
		w.add(`batch_id = ?`, f.BatchID)
	}
	if f.Filename != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(f.Filename)
		w.add(`lower(filename) LIKE lower(?) ESCAPE '\'`, "%"+escaped+"%")
	}
	if !f.SpottedFrom.IsZero() {
		w.add(`spotted_at >= ?`, at(f.SpottedFrom))
	}
	if !f.SpottedTo.IsZero() {
		w.add(`spotted_at < ?`, at(f.SpottedTo))
	}
	return w
}
