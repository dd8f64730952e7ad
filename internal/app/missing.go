package app

import (
	"context"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
)

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
