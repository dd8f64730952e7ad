package alert

import (
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Event is what an alert is about. The set is closed: an event is at once a part
// of the key, a metric's label, a value of the API and a key of the catalogue
// (alert.event.<event>, alert.remedy.<event>).
type Event string

// Events about files.
const (
	Rejected   Event = "rejected"
	Partial    Event = "partially_accepted"
	Invalid    Event = "invalid"
	Unresolved Event = "unresolved"
	Failed     Event = "failed" // parked for an operator
)

// Events that are conditions.
const (
	Refused     Event = "credentials_refused"
	Offline     Event = "server_offline" // for longer than ALERT_OFFLINE_AFTER
	Blocked     Event = "blocked"        // permission, a missing directory and the like
	Disk        Event = "disk_full"
	Missing     Event = "missing_file"       // an expected file did not come
	Certificate Event = "certificate_expiry" // of the API, a client's, or the server's
	Password    Event = "password_expiry"    // as HQMS_PASSWORD_EXPIRES says
)

// Other events.
const (
	Rebuilt Event = "journal_rebuilt"
	Test    Event = "test" // sent at once, never kept
)

// Events lists the closed set.
func Events() []Event {
	return []Event{Rejected, Partial, Invalid, Unresolved, Failed, Refused, Offline, Blocked, Disk, Missing, Certificate, Password, Rebuilt, Test}
}

// Valid reports whether e belongs to the closed set.
func (e Event) Valid() bool { return slices.Contains(Events(), e) }

// Once reports whether nothing but an acknowledgement (or, for files, their
// acceptance) ends an alert of this event.
func (e Event) Once() bool {
	return slices.Contains([]Event{Rejected, Partial, Invalid, Unresolved, Failed, Rebuilt}, e)
}

// Severity says whom an alert may wake: critical ones break through quiet hours.
type Severity string

// The severities.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
)

// Severity is an event's own, where the signal does not say.
func (e Event) Severity() Severity {
	if slices.Contains([]Event{Refused, Offline, Blocked, Disk}, e) {
		return Critical
	}
	return Warning
}

// Signal says that something is the matter.
type Signal struct {
	Event    Event
	Severity Severity       // empty: the event's own
	Channel  upload.Channel // empty: the whole program
	Kind     upload.Kind    // empty: all
	// Subject tells apart what event, channel and kind do not, e.g. "2026-11"
	// for the files of a month. It is part of the key and is shown.
	Subject string
	// Reason, where the domain has one, gives the message its words.
	Reason upload.Reason
	// Params fill the {parameters} of alert.text.<event>; never a cell's value, a
	// secret, or words of a server.
	Params map[string]string
	// File is what an event about files happened to.
	File journal.AlertFile
}

// Key is the key of the alert that the signal opens: event/channel/kind/subject,
// without what is empty at the end.
func (s Signal) Key() string {
	return strings.TrimRight(strings.Join([]string{string(s.Event), string(s.Channel), string(s.Kind), s.Subject}, "/"), "/")
}

func (s Signal) params() map[string]string {
	p := map[string]string{}
	for k, v := range s.Params {
		p[k] = v
	}
	if s.Reason != "" {
		p["reason"] = string(s.Reason)
	}
	return p
}

func (s Signal) severityOrOwn() Severity {
	if s.Severity != "" {
		return s.Severity
	}
	return s.Event.Severity()
}
