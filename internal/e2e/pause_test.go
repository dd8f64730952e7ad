package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAPausedChannelStaysPausedWhateverBecomesOfTheJournal: what an operator
// holds back is not sent because a file broke.
func TestAPausedChannelStaysPausedWhateverBecomesOfTheJournal(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"deleted", "torn pages", "put back from an older copy"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			r := newRig(t, srv)
			r.start()
			drop(t, r.flu, "flu_1.csv", good(t))
			r.endsWith("flu_1.csv", "accepted")
			check(t, r.proc.Terminate())
			older, err := os.ReadFile(filepath.Join(r.state, "journal.db"))
			check(t, err)
			r.start()
			if code := r.call("POST", "/channels/flu/pause", nil, nil); code != 200 {
				t.Fatalf("pause: status %d", code)
			}
			r.proc.Kill()
			if damage, ok := damages[kind]; ok {
				damage(t, r.state)
			} else {
				dropWAL(t, r.state)
				rewrite(t, r.state, func([]byte) []byte { return older })
			}
			digest := drop(t, r.flu, "flu_2.csv", good(t))
			r.start()
			if c := r.channelIs("flu", "paused"); c.PausedBy == "" {
				t.Errorf("nobody knows who paused it: %+v", c)
			}
			r.until("flu_2.csv", "waits", func(u row) bool { return u.State == "packed" && u.Reason == "channel_paused" })
			srv.mustHave(digest, 0, 0)
			if code := r.call("POST", "/channels/flu/resume", nil, nil); code != 200 {
				t.Fatalf("resume: status %d", code)
			}
			r.endsWith("flu_2.csv", "accepted")
			r.proc.Kill()
			damages["deleted"](t, r.state)
			r.start()
			r.channelIs("flu", "ok")
		})
	}
}
