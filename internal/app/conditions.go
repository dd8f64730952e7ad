package app

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/channel"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// soon is when what expires becomes critical.
const soon = 72 * time.Hour

// conditionEvents are the events that conditions looks at: all there is of each.
func conditionEvents() []alert.Event {
	return []alert.Event{alert.Refused, alert.Offline, alert.Blocked, alert.Disk, alert.Certificate, alert.Password}
}

// conditions is what is the matter now.
func (a *App) conditions(now time.Time) []alert.Signal {
	var all []alert.Signal
	if free, err := a.state.FreeBytes(); err == nil && free < int64(a.cfg.DiskReserve) {
		all = append(all, alert.Signal{Event: alert.Disk, Reason: upload.DiskFull})
	}
	for _, l := range a.ordered() {
		all = append(all, a.conditionsOf(l, now)...)
	}
	if a.cfg.TLSCertFile != "" {
		all = append(all, a.expiring(a.cfg.TLSCertFile, "api", "", now)...)
	}
	return all
}

// conditionsOf is what is the matter with a channel.
func (a *App) conditionsOf(l *line, now time.Time) []alert.Signal {
	standing := l.gate.Status()
	state, reason, _ := stateOf(standing, l.watcher.Status())
	var all []alert.Signal
	add := func(e alert.Event, p map[string]string) {
		all = append(all, alert.Signal{Event: e, Channel: l.Name, Reason: reason, Params: p})
	}
	switch channel.State(state) {
	case channel.Refused:
		add(alert.Refused, nil)
	case channel.Offline:
		if since := standing.OfflineSince; !since.IsZero() && now.Sub(since) >= a.cfg.AlertOfflineAfter {
			add(alert.Offline, map[string]string{"since": since.UTC().Format(time.RFC3339)})
		}
	case channel.Blocked:
		if slices.Contains([]upload.Reason{upload.DiskFull, upload.SpoolFull}, reason) {
			add(alert.Disk, nil)
		} else {
			add(alert.Blocked, nil)
		}
	case channel.Unconfigured, channel.Paused, channel.OK:
	}
	if l.ClientCertFile != "" {
		all = append(all, a.expiring(l.ClientCertFile, "client", l.Name, now)...)
	}
	return append(all, a.passwordExpiring(l, now)...)
}

// passwordExpiring looks at PASSWORD_EXPIRES: the server tells nobody.
func (a *App) passwordExpiring(l *line, now time.Time) []alert.Signal {
	day, err := time.ParseInLocation(time.DateOnly, l.PasswordExpires, time.Local)
	if err != nil || day.Sub(now) > a.cfg.AlertExpiryBefore { // empty, or far away
		return nil
	}
	return []alert.Signal{{
		Event: alert.Password, Channel: l.Name, Severity: urgency(day, now), Params: map[string]string{"until": l.PasswordExpires},
	}}
}

// expiring looks at a certificate's file. One that cannot be read is somebody
// else's to tell of.
func (a *App) expiring(file, of string, ch upload.Channel, now time.Time) []alert.Signal {
	until := notAfter(file)
	if until.IsZero() {
		return nil
	}
	return a.expires(until, of, ch, now)
}

// expires is what is the matter with a certificate that expires then.
func (a *App) expires(until time.Time, of string, ch upload.Channel, now time.Time) []alert.Signal {
	if until.Sub(now) > a.cfg.AlertExpiryBefore {
		return nil
	}
	return []alert.Signal{{
		Event: alert.Certificate, Channel: ch, Subject: of, Severity: urgency(until, now),
		Params: map[string]string{"of": of, "until": until.UTC().Format(time.RFC3339)},
	}}
}

func urgency(until, now time.Time) alert.Severity {
	if until.Sub(now) <= soon {
		return alert.Critical
	}
	return alert.Warning
}

// notAfter is when the first certificate of a file expires; zero if it cannot be
// told.
func notAfter(file string) time.Time {
	b, err := os.ReadFile(file)
	if err != nil {
		return time.Time{}
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return time.Time{}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}
	}
	return cert.NotAfter
}
