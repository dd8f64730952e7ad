package alert

import (
	"net/url"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

// Notice says why a message is sent.
type Notice string

// The notices.
const (
	Opened   Notice = "opened"
	More     Notice = "more"     // it happened again
	Repeated Notice = "repeated" // nobody has acknowledged it
	Resolved Notice = "resolved"
)

// notice is that of the message that is due.
func notice(a journal.Alert) Notice {
	switch {
	case !a.ResolvedAt.IsZero():
		return Resolved
	case a.Deliveries == 0:
		return Opened
	case a.Count > a.Told:
		return More
	default:
		return Repeated
	}
}

// namedFiles is how many files a message names.
const namedFiles = 5

// Message is what is sent about an alert, in words.
type Message struct {
	Notice Notice
	Alert  journal.Alert
	Lang   phrase.Lang
	Link   string // to the dashboard; empty: none
	At     time.Time
}

// line is one row of a message. A row of untrusted text has to be made harmless
// for the receiver's markup.
type line struct{ label, text string }

func (m Message) word(id string) string { return phrase.Text(m.Lang, id, nil) }

// title is the message in one row.
func (m Message) title() string {
	t := "HQMS · " + m.word("alert.notice."+string(m.Notice)) + " · " + Title(m.Alert, m.Lang)
	if m.Alert.Channel != "" {
		t += " (" + strings.TrimRight(string(m.Alert.Channel)+"/"+string(m.Alert.Kind), "/") + ")"
	}
	return t
}

// lines are the rows below the title; clean makes untrusted text harmless.
func (m Message) lines(clean func(string) string) []line {
	a := m.Alert
	if m.Notice == Resolved {
		all := m.where(clean)
		return append(all, line{m.word("alert.label.since"), clock(a.OpenedAt)}, line{m.word("alert.label.until"), clock(a.ResolvedAt)})
	}
	all := []line{{"", clean(Text(a, m.Lang))}}
	all = append(all, m.where(clean)...)
	all = append(all, line{m.word("alert.label.since"), clock(a.OpenedAt)})
	if files := m.files(clean); files != "" {
		all = append(all, line{m.word("alert.label.files"), files})
	}
	return append(all, line{m.word("alert.label.remedy"), Remedy(a, m.Lang)})
}

func (m Message) where(clean func(string) string) []line {
	var all []line
	for _, l := range []line{{"channel", string(m.Alert.Channel)}, {"kind", string(m.Alert.Kind)}, {"subject", m.Alert.Subject}} {
		if l.text != "" {
			all = append(all, line{m.word("alert.label." + l.label), clean(l.text)})
		}
	}
	return all
}

func (m Message) files(clean func(string) string) string {
	var names []string
	for _, f := range m.Alert.Files[:min(namedFiles, len(m.Alert.Files))] {
		names = append(names, clean(f.Name))
	}
	text := strings.Join(names, ", ")
	if n := Pending(m.Alert); n > int64(len(names)) && len(names) > 0 {
		text += " " + phrase.Text(m.Lang, "alert.label.more", map[string]string{"count": itoa(n)})
	}
	return text
}

// linkTo is where the dashboard shows alerts; empty where it is not known.
func linkTo(public *url.URL) string {
	if public == nil {
		return ""
	}
	return public.JoinPath("/").String() + "#/alerts"
}

// testMessage is sent to see whether messages arrive.
func testMessage(lang phrase.Lang, link string, now time.Time) Message {
	return Message{Notice: Opened, Lang: lang, Link: link, At: now, Alert: journal.Alert{
		ID: "test", Key: string(Test), Event: string(Test), Severity: string(Warning), Count: 1, OpenedAt: now, UpdatedAt: now,
	}}
}
