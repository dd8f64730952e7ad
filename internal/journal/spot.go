package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Spot takes note of a file seen in a watched directory. While an upload of
// that name is open, nothing begins (Underway); where the latest one dealt with
// this very content and left it in place, nothing begins either unless the
// sighting is forced (Known); else a new upload begins (Began), due at once, and
// of a file that is complete at sight as settled in the same change. The upload
// concerned is returned. It may be repeated at will.
func (j *Journal) Spot(ctx context.Context, s upload.Sighting) (upload.Upload, upload.Spotting, error) {
	const op = "spot"
	if err := j.begin(op); err != nil {
		return upload.Upload{}, "", err
	}
	// Most sightings are of files known for long: look before taking the writer.
	u, spotting, err := j.foretell(ctx, j.row, s)
	if err == nil && spotting == upload.Began {
		u, spotting, err = j.startUpload(ctx, s)
		if j.trouble(err) == NotUnique { // another process was faster
			u, spotting, err = j.foretell(ctx, j.row, s)
			if err == nil && spotting == upload.Began { // and has finished it since: the next look begins anew
				err = ErrConflict
			}
		}
	}
	return u, spotting, j.fail(op, err)
}

// SpotAll is Spot for several files, in their order; those that begin do so in
// one transaction where changes share commits. Each has its own answer.
func (j *Journal) SpotAll(ctx context.Context, all []upload.Sighting) []upload.Spotted {
	answers := make([]upload.Spotted, len(all))
	// After a start all files of a directory may be known: whoever reads that of a
	// million must not hold up those who write.
	seen := 0
	for seen < len(all) && j.foretold(ctx, all[seen], &answers[seen]) {
		seen++
	}
	rest, told := all[seen:], answers[seen:]
	if j.commits == nil || len(rest) < 2 || !j.spotTogether(ctx, rest, told) {
		for i, s := range rest { // one that does not fit must not hold up the others
			told[i].Upload, told[i].How, told[i].Err = j.Spot(ctx, s)
		}
	}
	return answers
}

// foretold reports whether nothing begins, and then answers.
func (j *Journal) foretold(ctx context.Context, s upload.Sighting, a *upload.Spotted) bool {
	if j.begin("spot") != nil {
		return false
	}
	u, spotting, err := j.foretell(ctx, j.row, s)
	if err != nil || spotting == upload.Began {
		return false
	}
	*a = upload.Spotted{Upload: u, How: spotting}
	return true
}

// spotTogether reports whether it could; if not, nothing was written.
func (j *Journal) spotTogether(ctx context.Context, all []upload.Sighting, answers []upload.Spotted) bool {
	if j.begin("spot") != nil {
		return false
	}
	began := false
	err := j.transact(ctx, func(t txn) error {
		for i, s := range all {
			a := &answers[i]
			if a.Upload, a.How, a.Err = j.startWithin(ctx, t, s); a.Err != nil {
				return a.Err
			}
			began = began || a.How == upload.Began
		}
		return nil
	})
	if err == nil && began {
		j.notify()
	}
	return err == nil
}

// Foretell says what Spot would say, and changes nothing. The upload is zero
// where one would begin.
func (j *Journal) Foretell(ctx context.Context, s upload.Sighting) (upload.Upload, upload.Spotting, error) {
	const op = "foretell"
	if err := j.begin(op); err != nil {
		return upload.Upload{}, "", err
	}
	u, spotting, err := j.foretell(ctx, j.row, s)
	return u, spotting, j.fail(op, err)
}

// Latest is the latest upload of a file name, or ErrNotFound.
func (j *Journal) Latest(ctx context.Context, ch upload.Channel, filename string) (upload.Upload, error) {
	const op = "latest upload of file"
	if err := j.begin(op); err != nil {
		return upload.Upload{}, err
	}
	u, err := j.latest(ctx, j.row, ch, filename, "")
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return u, j.fail(op, err)
}

// rowFunc reads one row, in a transaction or outside of one.
type rowFunc func(ctx context.Context, query string, args ...any) scanner

func (j *Journal) foretell(ctx context.Context, row rowFunc, s upload.Sighting) (upload.Upload, upload.Spotting, error) {
	u, spotting, err := j.concerned(ctx, row, s)
	if spotting == upload.Began {
		u = upload.Upload{}
	}
	return u, spotting, err
}

// concerned is foretell, but gives the latest upload of the file where one would
// begin; zero: there is none.
func (j *Journal) concerned(ctx context.Context, row rowFunc, s upload.Sighting) (upload.Upload, upload.Spotting, error) {
	// Most files that come are new, and a row is laid out for nobody: whether there
	// is one is asked for a fifth of what it costs to ask what it says.
	var some bool
	err := row(ctx, `SELECT EXISTS (SELECT 1 FROM uploads WHERE channel = ? AND filename = ?)`, s.Channel, s.Filename).Scan(&some)
	if err != nil {
		return upload.Upload{}, "", err
	}
	if !some {
		return upload.Upload{}, upload.Began, nil
	}
	u, err := j.latest(ctx, row, s.Channel, s.Filename, "")
	switch {
	case errors.Is(err, sql.ErrNoRows): // gone since
		return upload.Upload{}, upload.Began, nil
	case err != nil:
		return upload.Upload{}, "", err
	case u.State.Open():
		return u, upload.Underway, nil
	}
	// An older upload that an operator took up again is open behind the latest.
	open, err := j.latest(ctx, row, s.Channel, s.Filename, ` AND `+isOpen())
	switch {
	case err == nil:
		return open, upload.Underway, nil
	case !errors.Is(err, sql.ErrNoRows):
		return upload.Upload{}, "", err
	case !s.Forced && u.Knows(s.Seen):
		return u, upload.Known, nil
	default:
		return u, upload.Began, nil
	}
}

func (j *Journal) latest(ctx context.Context, row rowFunc, ch upload.Channel, filename, and string) (upload.Upload, error) {
	var u upload.Upload
	err := row(ctx, `SELECT `+j.columns+` FROM uploads WHERE channel = ? AND filename = ?`+and+` ORDER BY seq DESC LIMIT 1`,
		ch, filename).Scan(refs(&u)...)
	return u, err
}

// startUpload looks again, now with the right to write, and inserts.
func (j *Journal) startUpload(ctx context.Context, s upload.Sighting) (u upload.Upload, spotting upload.Spotting, err error) {
	err = j.transact(ctx, func(t txn) error {
		u, spotting, err = j.startWithin(ctx, t, s)
		return err
	})
	if err == nil && spotting == upload.Began {
		j.notify()
	}
	return u, spotting, err
}

func (j *Journal) startWithin(ctx context.Context, t txn, s upload.Sighting) (upload.Upload, upload.Spotting, error) {
	u, spotting, err := j.concerned(ctx, t.row, s)
	if err != nil || spotting != upload.Began {
		return u, spotting, err
	}
	begun := newUpload(s)
	if begun.ReplacesID, err = j.previous(ctx, t, u); err != nil {
		return u, "", err
	}
	u = begun
	settled := upload.Settled(s.Seen)
	if s.Complete {
		if u, err = settled.Apply(begun, s.At); err != nil {
			return u, "", err
		}
		asStored(&u)
	}
	args := refs(&u)
	if _, err := t.exec(ctx, `INSERT INTO uploads (`+j.columns+`) VALUES (`+marks(len(args))+`)`, args...); err != nil {
		return u, "", fmt.Errorf("insert upload: %w", err)
	}
	t.rows.reads(held{Upload: u})
	if err := addEvent(ctx, t, eventOf("spotted", "", begun)); err != nil || !s.Complete {
		return u, upload.Began, err
	}
	return u, upload.Began, addEvent(ctx, t, eventOf(settled.Name(), begun.State, u))
}

// previous is the latest finished upload of a file whose latest upload is given.
func (j *Journal) previous(ctx context.Context, t txn, latest upload.Upload) (upload.ID, error) {
	if latest.ID == "" || !latest.FinishedAt.IsZero() {
		return latest.ID, nil
	}
	u, err := j.latest(ctx, t.row, latest.Channel, latest.Filename, ` AND finished_at IS NOT NULL`)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return u.ID, err
}

func newUpload(s upload.Sighting) upload.Upload {
	u := upload.Upload{
		ID: upload.NewID(s.At), BatchID: s.BatchID, Channel: s.Channel, Kind: s.Kind, Filename: s.Filename,
		Source: s.Seen, State: upload.StateSpotted, Forced: s.Forced, Place: upload.InWatch, Path: s.Filename,
		SpottedAt: s.At, UpdatedAt: s.At, NextAttemptAt: s.At,
	}
	if u.BatchID == "" {
		u.BatchID = upload.NewUUID(s.At)
	}
	u.TraceID, u.RootSpanID = upload.NewTraceID()
	asStored(&u)
	return u
}

// isOpen is the condition of the indices that hold open rows only. It must be
// spelled as in the migrations, or the indices are not used. Not IN: SQLite makes
// a table of the list, and did so anew for every row written.
func isOpen() string { return openCondition }

var openCondition = func() string {
	states := upload.OpenStates()
	each := make([]string, len(states))
	for i, s := range states {
		each[i] = "state = '" + string(s) + "'"
	}
	return `(` + strings.Join(each, " OR ") + `)`
}()

// marks gives n placeholders.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func (j *Journal) trouble(err error) Trouble {
	if err == nil {
		return Other
	}
	return j.store.Dialect.Classify(err)
}
