package recovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// piece is how much of the log's end is compared at an ordinary start, and how far
	// is gone back at once where that does not do.
	piece = 512 << 10
	// witnesses are how many lines say whether the journal knows what comes before.
	witnesses = 8
)

// CatchUp brings the journal up to the end of the log, where it is behind: back to
// where the journal knows all that the log says, however far that is. Lines older than
// since are left alone: the journal may have forgotten them rightly. It gives the
// number of rows written.
func CatchUp(ctx context.Context, l Ledger, log *Log, since, now time.Time) (int, error) {
	from, some, err := behindSince(ctx, l, log, since, now)
	if err != nil || !some {
		return 0, err
	}
	n, err := readmit(ctx, l, log.linesFrom(ctx, from), now, func(x Line) (upload.Upload, bool) {
		u := x.Upload
		if u.State.Open() {
			u.NextAttemptAt = now
		}
		return u, x.Err == nil && u.UpdatedAt.After(since)
	})
	if err != nil {
		return n, fmt.Errorf("bring the journal up to the recovery log: %w", err)
	}
	return n, nil
}

// behindSince goes back through the log, at least a piece, to where the journal knows
// what it says. Files of months to come, which a clock that was set ahead has left, are
// gone through as well, but say nothing of how far back is enough.
func behindSince(ctx context.Context, l Ledger, log *Log, since, now time.Time) (_ mark, some bool, err error) {
	if log == nil || log.dir == nil {
		return mark{}, false, nil
	}
	files, err := log.files()
	present, gone := now.UTC().Format(monthly), int64(0)
	for _, name := range slices.Backward(files) {
		size, err := log.size(name)
		if err != nil {
			return mark{}, false, err
		}
		for back := int64(piece); ; back += piece {
			whole := back >= size
			if strings.TrimSuffix(name, suffix) <= present {
				gone += min(back, size) - (back - piece)
			}
			at := mark{name, back}
			if whole {
				at.back = 0
			}
			if gone >= piece {
				if known, err := knows(ctx, l, log, at, since); err != nil || known {
					return at, err == nil, err
				}
			}
			if whole {
				break
			}
		}
	}
	return mark{}, len(files) > 0, err
}

// knows reports whether the journal knows what the lines after a mark say, or may have
// forgotten it.
func knows(ctx context.Context, l Ledger, log *Log, at mark, since time.Time) (bool, error) {
	lines, err := log.first(ctx, at, witnesses)
	if err != nil || len(lines) == 0 {
		return false, err
	}
	for _, u := range lines {
		if !u.UpdatedAt.After(since) {
			continue
		}
		have, is, err := l.Find(ctx, u.ID)
		if err != nil {
			return false, err
		}
		if !is || have.UpdatedAt.Before(u.UpdatedAt) && (u.Verdict == "" || have.Verdict != u.Verdict) {
			return false, nil
		}
	}
	return true, nil
}

// size is how large a file of the log is; 0: it is not there, or no file.
func (l *Log) size(name string) (int64, error) {
	id, err := l.dir.Look(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotRegular) {
		return 0, nil
	}
	return id.Size, err
}
