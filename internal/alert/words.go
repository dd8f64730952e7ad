package alert

import (
	"strconv"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Title says what happened.
func Title(a journal.Alert, lang phrase.Lang) string {
	return phrase.Text(lang, "alert.event."+a.Event, nil)
}

// Text says the particulars. Params that name a phrase (a reason, what a
// certificate is of) or a moment are put into words; a text of its own may be
// named by the param "text".
func Text(a journal.Alert, lang phrase.Lang) string {
	p := map[string]string{"count": strconv.FormatInt(Pending(a), 10), "subject": a.Subject, "kind": string(a.Kind), "kind_title": string(a.Kind), "channel": string(a.Channel), "since": clock(a.OpenedAt)}
	if id := "ui.kind." + string(a.Kind); phrase.Has(id) {
		p["kind_title"] = phrase.Text(lang, id, nil)
	}
	for k, v := range a.Params {
		switch {
		case k == "reason" && upload.Reason(v).Valid():
			v = phrase.Text(lang, "reason."+v, nil)
		case k == "of" && phrase.Has("alert.of."+v):
			v = phrase.Text(lang, "alert.of."+v, nil)
		default:
			if at, err := time.Parse(time.RFC3339, v); err == nil {
				v = clock(at)
			}
		}
		p[k] = v
	}
	id := "alert.text." + a.Event
	if own := id + "." + a.Params["text"]; phrase.Has(own) {
		id = own
	}
	return phrase.Text(lang, id, p)
}

// Remedy says what to do.
func Remedy(a journal.Alert, lang phrase.Lang) string {
	return phrase.Text(lang, "alert.remedy."+a.Event, nil)
}

// Pending is how many occurrences are not over; of an alert that is over, how
// many there were.
func Pending(a journal.Alert) int64 {
	if n := a.Count - a.Settled; n > 0 {
		return n
	}
	return a.Count
}

// clock is a moment by the local clock, for people.
func clock(t time.Time) string { return t.In(time.Local).Format("2006-01-02 15:04 MST") }
