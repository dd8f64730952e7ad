package recovery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// batch is how many rows go into the journal at once.
const batch = 500

// Ledger is the journal that is brought back.
type Ledger interface {
	// Readmit writes rows that the journal does not have, or has older, and
	// gives their number.
	Readmit(ctx context.Context, all []upload.Upload, now time.Time) (int, error)
	// Find is the upload id, if the journal knows it.
	Find(ctx context.Context, id upload.ID) (upload.Upload, bool, error)
	// Latest is the latest upload of a file, if the journal knows one.
	Latest(ctx context.Context, ch upload.Channel, filename string) (upload.Upload, bool, error)
	// Act records an outcome.
	Act(ctx context.Context, id upload.ID, o upload.Outcome) error
}

// Sources are what a journal is rebuilt from.
type Sources struct {
	Log   *Log
	State *durable.Dir // holds archive/ and quarantine/
	Watch map[upload.Channel]*durable.Dir
	Kinds func(ch upload.Channel, filename string) (upload.Kind, bool)
	Now   func() time.Time // nil: time.Now
	// Logger is told what cannot be brought back; nil: discarded.
	Logger *slog.Logger
}

// Rebuilt counts what was brought back.
type Rebuilt struct {
	FromLog    int // rows written from the log
	Stored     int // originals found in archive and quarantine
	Unfinished int // originals whose putting away goes on
	Recovered  int // originals set aside that nobody knows, given a visible name
	Unreadable int // lines of the log, and stored originals, that could not be read
}

// Rebuild writes into l all that is known of earlier uploads. It is for the
// start, before anything else works on l; broken off, it can be repeated.
func Rebuild(ctx context.Context, l Ledger, s Sources) (Rebuilt, error) {
	r := rebuilding{Sources: s, ledger: l}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	for _, step := range []func(context.Context) error{r.fromLog, r.fromStores, r.fromWatched} {
		if err := step(ctx); err != nil {
			return r.done, fmt.Errorf("rebuild the journal: %w", err)
		}
	}
	return r.done, nil
}

type rebuilding struct {
	Sources
	ledger Ledger
	done   Rebuilt
}

func (r *rebuilding) fromLog(ctx context.Context) error {
	n, err := readmit(ctx, r.ledger, r.Log.Lines(ctx), r.Now(), func(x Line) (upload.Upload, bool) {
		if x.Err != nil {
			r.done.Unreadable++
			return upload.Upload{}, false
		}
		return r.asKept(x.Upload), true
	})
	r.done.FromLog += n
	return err
}

// readmit writes what lines stand for, and gives the number of rows written.
func readmit(ctx context.Context, l Ledger, lines iter.Seq2[Line, error], now time.Time, row func(x Line) (u upload.Upload, is bool)) (written int, _ error) {
	var pending []upload.Upload
	flush := func() error {
		if len(pending) == 0 {
			return nil
		}
		n, err := l.Readmit(ctx, pending, now)
		written += n
		pending = pending[:0]
		return err
	}
	for line, err := range lines {
		if err != nil {
			return written, err
		}
		u, is := row(line)
		if !is {
			continue
		}
		if pending = append(pending, u); len(pending) == batch {
			if err := flush(); err != nil {
				return written, err
			}
		}
	}
	return written, flush()
}

// asKept is the row that a line stands for. One with a verdict counts as retired
// until its original is found.
func (r *rebuilding) asKept(u upload.Upload) upload.Upload {
	switch u.State {
	case upload.StateDecided:
		return retired(u, upload.Gone, "")
	case upload.StateCancelled:
	default:
		u.NextAttemptAt = r.Now()
		u.Reason, u.Detail = upload.JournalRebuilt, ""
	}
	return u
}

func retired(u upload.Upload, place upload.Place, path string) upload.Upload {
	u.State, u.Place, u.Path, u.NextAttemptAt = upload.StateRetired, place, path, time.Time{}
	u.Reason, u.Detail = upload.JournalRebuilt, ""
	if u.FinishedAt.IsZero() {
		u.FinishedAt = u.UpdatedAt
	}
	return u
}

// fromWatched finds originals in the watched directories whose upload has its
// verdict: they are put away as if nothing had happened.
func (r *rebuilding) fromWatched(ctx context.Context) error {
	for ch, dir := range r.Watch {
		for e, err := range dir.List(".") {
			if errors.Is(err, durable.ErrNoDir) {
				r.Logger.Warn("watched directory is not there: originals set aside in it stay", slog.String("channel", string(ch)))
				break
			}
			if err == nil {
				err = r.watched(ctx, ch, dir, e.Name)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rebuilding) watched(ctx context.Context, ch upload.Channel, dir *durable.Dir, name string) error {
	if id, aside := asideOf(name); aside {
		return r.aside(ctx, ch, dir, name, id)
	}
	if _, ours := r.Kinds(ch, name); !ours {
		return nil
	}
	u, known, err := r.ledger.Latest(ctx, ch, name)
	if err != nil || !known || u.State != upload.StateRetired || u.Place != upload.Gone {
		return err
	}
	if now, err := dir.Look(name); err != nil || now != u.Source {
		return nil //nolint:nilerr // not that content: the watcher will see
	}
	return r.reopen(ctx, u)
}

// aside deals with an original that a retire stage had set aside.
func (r *rebuilding) aside(ctx context.Context, ch upload.Channel, dir *durable.Dir, name string, id upload.ID) error {
	u, known, err := r.ledger.Find(ctx, id)
	switch {
	case err != nil:
		return err
	case known && u.Channel == ch && u.State == upload.StateRetired && u.Place == upload.Gone:
		return r.reopen(ctx, u)
	case known:
		return nil
	}
	visible := "recovered-" + string(id) + ".csv"
	if err := dir.RenameNoReplace(name, visible); err != nil {
		return durable.Fault(err, "give an original of unknown origin a visible name")
	}
	r.done.Recovered++
	r.Logger.Error("an original that had been set aside is known to nobody: it has a visible name now, look what it is and rename it",
		slog.String("channel", string(ch)), slog.String("filename", visible))
	return nil
}

// reopen lets the retire stage go on with an upload.
func (r *rebuilding) reopen(ctx context.Context, u upload.Upload) error {
	if err := r.ledger.Act(ctx, u.ID, upload.StillHere()); err != nil {
		return err
	}
	r.done.Unfinished++
	return nil
}
