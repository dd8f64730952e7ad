package alert

import (
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

func TestEveryEventHasWordsInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, e := range Events() {
		for _, id := range []string{"alert.event.", "alert.text.", "alert.remedy."} {
			if !phrase.Has(id + string(e)) {
				t.Errorf("%s%s is not in the catalogue", id, e)
			}
		}
		for _, lang := range phrase.Langs() {
			a := journal.Alert{Event: string(e), Count: 2, OpenedAt: opened, Params: map[string]string{
				"reason": "disk_full", "since": "2026-11-27T08:00:00Z", "until": "2026-12-27T08:00:00Z", "of": "client", "due": "2026-11-27T09:00:00Z",
			}}
			if text := Text(a, lang); strings.ContainsAny(text, "{}") || strings.Contains(text, "disk_full") {
				t.Errorf("%s, %s: a parameter is left: %s", e, lang, text)
			}
		}
	}
	for _, prefix := range []string{"alert.event.", "alert.remedy."} {
		for _, id := range phrase.IDs(prefix) {
			if !Event(strings.TrimPrefix(id, prefix)).Valid() {
				t.Errorf("%s names no event", id)
			}
		}
	}
	for _, n := range []Notice{Opened, More, Repeated, Resolved} {
		if !phrase.Has("alert.notice." + string(n)) {
			t.Errorf("notice %s has no words", n)
		}
	}
}
