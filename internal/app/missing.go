package app

import (
	"context"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// endUnexpected ends alerts of missing files that are not expected any more: no
// delivery would end them.
func (a *App) endUnexpected(ctx context.Context) error {
	open, err := a.journal.OpenAlerts(ctx)
	if err != nil {
		return err
	}
	for _, x := range open {
		if alert.Event(x.Event) == alert.Missing && !a.expects(x.Channel, x.Kind) {
			if err := a.alerts.book.Resolve(ctx, x.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// expects reports whether the settings say when files of the kind are due.
func (a *App) expects(ch upload.Channel, kind upload.Kind) bool {
	for _, c := range a.cfg.Channels() {
		if c.Name == ch && slices.Contains(c.Expect.Kinds(), kind) {
			return true
		}
	}
	return false
}

// missingFiles makes alerts of what the calendar tells: one for a channel and
// kind, from the warning on until the file has come.
type missingFiles struct{ book *alert.Book }

// Tell implements calendar.Teller. What is told again changes nothing.
func (m missingFiles) Tell(ctx context.Context, n calendar.Notice) error {
	s := alert.Signal{
		Event: alert.Missing, Severity: alert.Warning, Channel: n.Channel, Kind: n.Kind,
		Params: map[string]string{"day": n.Day, "due": n.Due.Format(time.RFC3339)},
	}
	switch n.Event {
	case calendar.Restored:
		return m.book.Resolve(ctx, s.Key())
	case calendar.Missing:
		s.Severity = alert.Critical
	case calendar.Near:
		s.Params["text"] = "near"
	}
	return m.book.Raise(ctx, s)
}
