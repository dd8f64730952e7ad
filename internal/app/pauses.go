package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/recovery"
)

// compactEvery is how often the recovery log is made smaller.
const compactEvery = 24 * time.Hour

// restorePauses pauses what was paused before the journal was lost, or since the
// copy was made that was put back in its place. Otherwise the channel's record is
// right: a crash may have come between it and the recovery log.
func (a *App) restorePauses(ctx context.Context) error {
	for _, l := range a.ordered() {
		p, paused, err := a.recovery.Paused(l.Name)
		if err != nil {
			return err
		}
		record, err := a.journal.Channel(ctx, l.Name)
		if err != nil {
			return err
		}
		if !paused || !record.UpdatedAt.Before(p.At) {
			a.keepPause(l)
			continue
		}
		if err := l.gate.Pause(ctx, p.By); err != nil {
			return fmt.Errorf("pause channel %s again: %w", l.Name, err)
		}
		a.log.Warn("channel is paused again, as it was before the journal was lost", slog.String("channel", string(l.Name)), slog.String("by", p.By))
	}
	return nil
}

// keepPause brings what the recovery log says of a channel's pause in line with
// the channel. That it cannot is no reason to undo the pause.
func (a *App) keepPause(l *line) {
	standing := l.gate.Status()
	var err error
	if standing.PausedAt.IsZero() {
		err = a.recovery.EndPause(l.Name)
	} else {
		err = a.recovery.KeepPause(l.Name, recovery.Pause{By: standing.PausedBy, At: standing.PausedAt})
	}
	if err != nil {
		a.log.Warn("pause of a channel is not in the recovery log", slog.String("channel", string(l.Name)), slog.Any("error", err))
	}
}

// compactRecovery makes the recovery log smaller, once a day.
func (a *App) compactRecovery(ctx context.Context, last time.Time) time.Time {
	now := a.now()
	if a.recovery == nil || !last.IsZero() && now.Sub(last) < compactEvery {
		return last
	}
	done, err := a.recovery.Compact(ctx, lost{a.journal}, now.Add(-a.cfg.JournalRetention))
	if err != nil && ctx.Err() == nil {
		a.log.Warn("recovery log was not compacted, will try again", slog.Any("error", err))
		return last
	}
	if done.Damaged > 0 {
		a.log.Warn("recovery log held lines that cannot be read: a crash or the disk damaged them; the journal has what they were of", slog.Int("lines", done.Damaged))
	}
	if done.Files > 0 {
		a.log.Info("recovery log compacted", slog.Int("files", done.Files), slog.Int64("bytes_before", done.Before), slog.Int64("bytes_after", done.After))
	}
	return now
}
