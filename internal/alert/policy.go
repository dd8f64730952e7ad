package alert

import (
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pace"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// regather is how many times GroupWait what happens again is gathered after a
// message, before the next.
const regather = 10

// Policy says when messages are due.
type Policy struct {
	// Receiver is false where nobody is to be told: alerts are kept, none is sent.
	Receiver    bool
	MinSeverity Severity      // below it nobody is told; empty: Warning
	GroupWait   time.Duration // from an alert's opening to its first message
	Repeat      time.Duration // between messages of an alert that stays; 0: none is repeated
	Quiet       pace.Week     // when only critical ones are sent; zero: never quiet
	Location    *time.Location
	Backoff     upload.Backoff // of messages that did not arrive
	// Stands is how long an alert of a condition stands after it was last seen, where
	// other processes look at conditions of their own and keep the same alerts; 0: there
	// are none, and what this one does not see is over.
	Stands time.Duration
}

// tells reports whether messages of the severity are sent at all.
func (p Policy) tells(s string) bool {
	return p.Receiver && (p.MinSeverity != Critical || Severity(s) == Critical)
}

// due is t, or the end of the quiet hours that t lies in.
func (p Policy) due(a journal.Alert, t time.Time) time.Time {
	if !p.tells(a.Severity) {
		return time.Time{}
	}
	if Severity(a.Severity) == Critical || p.Quiet.IsZero() {
		return t
	}
	local := t
	if p.Location != nil {
		local = t.In(p.Location)
	}
	if !p.Quiet.Holds(local) {
		return t
	}
	if end := p.Quiet.Change(local); !end.IsZero() {
		return end
	}
	return t // quiet all week: it was not meant so
}

// opened is an alert that the signal opens.
func (p Policy) opened(s Signal, now time.Time) journal.Alert {
	a := journal.Alert{
		ID: upload.NewUUID(now), Key: s.Key(), Event: string(s.Event), Severity: string(s.severityOrOwn()),
		Channel: s.Channel, Kind: s.Kind, Subject: s.Subject, Params: s.params(), Files: []journal.AlertFile{},
		Count: 1, OpenedAt: now, UpdatedAt: now,
	}
	if s.File.Name != "" {
		a.Files = append(a.Files, s.File)
	}
	a.DueAt = p.due(a, now.Add(p.GroupWait))
	return a
}

// again is an open alert to which the signal came again; changed is false where
// there is nothing to keep.
func (p Policy) again(a journal.Alert, s Signal, now time.Time) (_ journal.Alert, changed bool) {
	if s.File.Name != "" {
		return p.another(a, s, now)
	}
	params, severity := s.params(), string(s.severityOrOwn())
	worse := severity == string(Critical) && a.Severity != severity
	if since, ok := a.Params["since"]; ok && p.Stands > 0 && since < params["since"] {
		params["since"] = since // another process has seen it for longer
	}
	seenLately := p.Stands == 0 || now.Sub(a.UpdatedAt) < p.Stands/3
	if !worse && equal(params, a.Params) && seenLately {
		return a, false
	}
	a.Params, a.UpdatedAt = params, now
	if worse { // it is another matter than the one that was acknowledged
		a.Severity, a.AcknowledgedAt, a.AcknowledgedBy = severity, time.Time{}, ""
		a.DueAt = p.due(a, now)
	}
	return a, true
}

// maxFiles bounds the files that are known by name: those beyond are counted.
const maxFiles = 200

// another adds a file.
func (p Policy) another(a journal.Alert, s Signal, now time.Time) (journal.Alert, bool) {
	for i, f := range a.Files {
		if f.UploadID == s.File.UploadID {
			return a, false // the same upload: a retry that failed again
		}
		if f.Name == s.File.Name {
			a.Files[i] = s.File // its correction is no better: one matter still
			a.Count, a.Settled, a.UpdatedAt, a.Params = a.Count+1, a.Settled+1, now, s.params()
			a.DueAt = p.gathered(a, now)
			return a, true
		}
	}
	if len(a.Files) < maxFiles {
		a.Files = append(a.Files, s.File)
	}
	a.Count, a.UpdatedAt, a.Params = a.Count+1, now, s.params()
	a.DueAt = p.gathered(a, now)
	return a, true
}

// stands reports whether an alert of a condition that this process does not see stands
// all the same, since another one has seen it lately.
func (p Policy) stands(a journal.Alert, now time.Time) bool {
	return p.Stands > 0 && now.Sub(a.UpdatedAt) < p.Stands
}

// gathered is when the message about another occurrence is due: with the one
// that waits for its group, else some time after the last.
func (p Policy) gathered(a journal.Alert, now time.Time) time.Time {
	if a.Deliveries == 0 && !a.DueAt.IsZero() {
		return a.DueAt
	}
	at := now.Add(p.GroupWait)
	if next := a.ToldAt.Add(regather * p.GroupWait); !a.ToldAt.IsZero() && !a.ToldAt.After(now) && next.After(at) {
		at = next
	}
	at = p.due(a, at)
	if !a.DueAt.IsZero() && a.DueAt.Before(at) {
		return a.DueAt
	}
	return at
}

// resolved ends an alert. What nobody was told of, and was over before anybody
// would have been, is not worth a message.
func (p Policy) resolved(a journal.Alert, now time.Time) journal.Alert {
	a.ResolvedAt, a.UpdatedAt = now, now
	fleeting := a.Deliveries == 0 && a.Attempt == 0 && now.Before(a.OpenedAt.Add(p.GroupWait))
	switch {
	case fleeting:
		a.DueAt = time.Time{}
	case a.Deliveries == 0 && !a.DueAt.IsZero(): // overdue, or held back by quiet hours: as it was to be
	default:
		a.DueAt = p.due(a, now)
	}
	return a
}

// settled takes a file out of an alert; the last one ends it.
func (p Policy) settled(a journal.Alert, fits func(f journal.AlertFile) bool, now time.Time) (_ journal.Alert, changed bool) {
	var left []journal.AlertFile
	for _, f := range a.Files {
		if !fits(f) {
			left = append(left, f)
		}
	}
	if len(left) == len(a.Files) {
		return a, false
	}
	a.Settled += int64(len(a.Files) - len(left))
	a.UpdatedAt = now
	if a.Settled >= a.Count {
		return p.resolved(a, now), true // the files stay, to be named in the message
	}
	a.Files = left
	return a, true
}

// acknowledged is an alert that somebody has seen.
func (p Policy) acknowledged(a journal.Alert, by string, now time.Time) journal.Alert {
	a.AcknowledgedAt, a.AcknowledgedBy, a.UpdatedAt, a.DueAt = now, by, now, time.Time{}
	if Event(a.Event).Once() {
		a.ResolvedAt = now
	}
	return a
}

// delivered is an alert after the message made of sent arrived.
func (p Policy) delivered(a, sent journal.Alert, now time.Time) journal.Alert {
	a.Deliveries++
	a.Told, a.ToldAt, a.Attempt, a.LastError, a.ClaimUntil = sent.Count, now, 0, "", time.Time{}
	switch {
	case !a.ResolvedAt.IsZero() && sent.ResolvedAt.IsZero() && a.AcknowledgedAt.IsZero():
		a.DueAt = p.due(a, now)
	case !a.ResolvedAt.IsZero() || !a.AcknowledgedAt.IsZero():
		a.DueAt = time.Time{}
	case a.Severity != sent.Severity: // it has become worse meanwhile
		a.DueAt = p.due(a, now)
	case a.Count > sent.Count:
		a.DueAt = p.due(a, now.Add(regather*p.GroupWait))
	case p.Repeat > 0:
		a.DueAt = p.due(a, now.Add(p.Repeat))
	default:
		a.DueAt = time.Time{}
	}
	return a
}

// undelivered is an alert after a message did not arrive; wish is how long the
// receiver wants to be left alone.
func (p Policy) undelivered(a journal.Alert, why string, wish time.Duration, now time.Time) journal.Alert {
	a.Attempt++
	a.LastError, a.ClaimUntil = why, time.Time{}
	if !a.DueAt.IsZero() { // not acknowledged meanwhile
		a.DueAt = p.due(a, now.Add(p.Backoff.Delay(a.Attempt, wish)))
	}
	return a
}

func equal(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}
