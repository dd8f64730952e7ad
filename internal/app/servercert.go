package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
)

const (
	// serverLookEvery is how often a server's certificate is looked at although
	// nothing is sent: a channel may have one file a month.
	serverLookEvery = 12 * time.Hour
	// serverLookAgain is when it is tried again after the server was out of reach.
	serverLookAgain = time.Hour
	// serverLookTime bounds one look.
	serverLookTime = 30 * time.Second
)

// followServerCertificates looks at the servers' certificates until ctx ends.
func (a *App) followServerCertificates(ctx context.Context) {
	for {
		next := serverLookEvery
		for _, l := range a.ordered() {
			if l.ServerURL.URL().Scheme != "https" {
				continue
			}
			if err := lookAtServer(ctx, l); err != nil {
				next = serverLookAgain
				a.log.Debug("the server's certificate was not looked at, will try again", slog.String("channel", string(l.Name)), slog.Any("error", err))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

// lookAtServer connects; the client keeps what it saw.
func lookAtServer(ctx context.Context, l *line) error {
	ctx, cancel := context.WithTimeout(ctx, serverLookTime)
	defer cancel()
	_, _, err := l.client.Target(nil).Reach(ctx)
	return err
}

// serverCertificates is what is the matter with the servers' certificates. What
// was seen is in the journal: so a restart forgets nothing, and replicas, of which
// each has its own connections, do not contradict each other.
func (a *App) serverCertificates(ctx context.Context, now time.Time) ([]alert.Signal, error) {
	var all []alert.Signal
	for _, l := range a.ordered() {
		key := "server_certificate/" + string(l.Name) + "/" + l.ServerURL.URL().Host
		if until, ok := l.client.ServerCertificate(); ok && !until.Equal(l.certNoted) {
			if err := a.journal.SetMeta(ctx, key, until.UTC().Format(time.RFC3339)); err != nil {
				return nil, err
			}
			l.certNoted = until
		}
		if l.ServerURL.URL().Scheme != "https" {
			continue
		}
		if at := a.journal.Moment(); !at.Same(l.certRead.at) {
			noted, err := a.journal.Meta(ctx, key)
			if err != nil {
				return nil, err
			}
			l.certRead.at, l.certRead.text = at, noted
		}
		if until, err := time.Parse(time.RFC3339, l.certRead.text); err == nil { // empty: not seen yet
			all = append(all, a.expires(until, "server", l.Name, now)...)
		}
	}
	return all, nil
}
