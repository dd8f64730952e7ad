package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/exporter"
)

func TestEveryFeedComesToItsVerdictWithItsBytes(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	written, err := exporter.Run(t.Context(), exporter.Options{FluDir: r.flu, HQMSDir: r.hqms, Rows: 5, Pace: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]bool{}
	for _, w := range written {
		u := r.endsWith(string(w.Channel)+"/"+w.Filename, string(w.Expect))
		if u.Digest != w.Digest || u.Kind != string(w.Kind) {
			t.Errorf("%s: the journal has digest %s and kind %s", w.Filename, u.Digest, u.Kind)
		}
		received, accepted, place := 1, 1, "archive"
		switch w.Expect {
		case "rejected":
			accepted, place = 0, "quarantine"
		case "partially_accepted":
			place = "quarantine"
		default:
			feeds[u.Channel+" "+u.Kind] = true
		}
		srv.mustHave(w.Digest, received, accepted)
		r.mustBeOnlyAt(u, w.Digest, place)
	}
	if len(feeds) != 7 {
		t.Errorf("accepted feeds: %v, want seven", feeds)
	}
	r.mustHaveEmptySpool()
	if left, _ := filepath.Glob(filepath.Join(r.flu, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
