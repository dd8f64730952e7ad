package phrase

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var placeholder = regexp.MustCompile(`\{[a-z_0-9]+\}`)

func TestCatalogueLoadsAndBothLanguagesUseTheSameParameters(t *testing.T) {
	t.Parallel()
	all, err := load(files)
	if err != nil {
		t.Fatal(err)
	}
	for id, e := range all {
		zh, en := placeholder.FindAllString(e.zh, -1), placeholder.FindAllString(e.en, -1)
		slices.Sort(zh)
		slices.Sort(en)
		if !slices.Equal(slices.Compact(zh), slices.Compact(en)) {
			t.Errorf("%s: parameters differ: %v in Chinese, %v in English", id, zh, en)
		}
	}
}

func TestEveryReasonHasWords(t *testing.T) {
	t.Parallel()
	for _, r := range upload.Reasons() {
		if !Has("reason." + string(r)) {
			t.Errorf("reason %s has no phrase", r)
		}
	}
	for _, prefix := range []string{"reason.", "remedy."} {
		for _, id := range IDs(prefix) {
			if r := upload.Reason(strings.TrimPrefix(id, prefix)); !r.Valid() {
				t.Errorf("%s names no reason", id)
			}
		}
	}
}

func TestTextFillsParametersAndShowsUnknownIDs(t *testing.T) {
	t.Parallel()
	if got := Text(English, "no.such", map[string]string{"a": "b"}); got != "no.such" {
		t.Errorf("unknown id: got %q", got)
	}
	if zh, en := Text(Chinese, "reason.disk_full", nil), Text(English, "reason.disk_full", nil); zh == en {
		t.Errorf("both languages say %q", zh)
	}
}
