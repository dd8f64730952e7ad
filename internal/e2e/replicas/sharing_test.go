package replicas

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

// fault makes the sandbox misbehave.
func (w *world) fault(f sandbox.Fault) {
	w.t.Helper()
	b, err := json.Marshal(f)
	must(w.t, err)
	resp, err := http.Post("http://"+w.sandbox+"/sandbox/faults", "application/json", bytes.NewReader(b))
	must(w.t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		w.t.Fatalf("set fault: status %d", resp.StatusCode)
	}
}

func TestTheWorkOfAKilledReplicaIsTakenOverWithinItsLeaseAndASecond(t *testing.T) {
	t.Parallel()
	const lease = 3 * time.Second
	w := newWorld(t, lease)
	both := []*replica{w.launch(), w.launch()}
	for _, r := range both {
		w.ready(r)
	}
	w.fault(sandbox.Fault{Step: sandbox.StepUpload, Kind: sandbox.FaultHang, Count: 1})
	w.drop("flu_1.csv", uint64(time.Now().UnixNano()))
	var pid int
	process.Eventually(t, patience, "one of them sends", func() bool {
		var err error
		pid, err = w.count(`SELECT split_part(lease_owner, '/', 2)::int FROM uploads
			WHERE state = 'packed' AND lease_owner IS NOT NULL AND ticket_token <> ''`)
		return err == nil
	})
	for _, r := range both {
		if r.PID() == pid {
			r.Kill()
		}
	}
	began := time.Now()
	fence, err := w.count(`SELECT fence FROM uploads`)
	must(t, err)
	process.Eventually(t, patience, "the other takes over", func() bool {
		n, err := w.count(`SELECT fence FROM uploads`)
		return err == nil && n > fence
	})
	if took := time.Since(began); took > lease+time.Second {
		t.Errorf("taken over after %s, want at most %s", took, lease+time.Second)
	} else {
		t.Logf("taken over after %s of a lease of %s", took.Round(time.Millisecond), lease)
	}
}

func TestReplicasHoldWhileTheDatabaseIsAwayAndGoOnByThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Second)
	all := []*replica{w.launch(), w.launch()}
	for _, r := range all {
		w.ready(r)
	}
	before := w.drop("flu_1.csv", uint64(time.Now().UnixNano()))
	must(t, w.pg.Down(t.Context(), true))
	during := w.drop("flu_2.csv", uint64(time.Now().UnixNano()))
	for _, r := range all {
		process.Eventually(t, patience, "it says that it is not ready", func() bool { return r.call("GET", "/readyz", nil) == http.StatusServiceUnavailable })
	}
	pause(t.Context(), 3*w.lease)
	for _, r := range all {
		if r.Ended() || r.call("GET", "/livez", nil) != http.StatusOK {
			t.Fatalf("a replica did not hold:\n%s", r.Out)
		}
	}
	must(t, w.pg.Up(t.Context()))
	for _, r := range all {
		w.ready(r)
	}
	process.Eventually(t, patience, "both files are accepted", func() bool {
		n, err := w.count(`SELECT count(*) FROM uploads WHERE state = 'retired' AND verdict = 'accepted'`)
		return err == nil && n == 2
	})
	arrived := w.arrivals()
	for _, digest := range []string{before, during} {
		if arrived[digest].Accepted != 1 {
			t.Errorf("accepted %d times", arrived[digest].Accepted)
		}
	}
}

func TestAPauseOnOneReplicaHoldsForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Second)
	one, two := w.launch(), w.launch()
	w.ready(one)
	w.ready(two)
	standing := func(r *replica) string {
		var page struct {
			Items []struct{ Name, State string }
		}
		r.call("GET", "/channels", &page)
		if len(page.Items) != 1 {
			return ""
		}
		return page.Items[0].State
	}
	if code := one.call("POST", "/channels/flu/pause", nil); code != http.StatusOK {
		t.Fatalf("pause: status %d", code)
	}
	process.Eventually(t, patience, "the other shows it", func() bool { return standing(two) == "paused" })
	one.Kill()
	digest := w.drop("flu_1.csv", uint64(time.Now().UnixNano()))
	process.Eventually(t, patience, "the upload waits", func() bool {
		n, err := w.count(`SELECT count(*) FROM uploads WHERE state = 'packed' AND reason = 'channel_paused'`)
		return err == nil && n == 1
	})
	if n := w.arrivals()[digest].Received; n != 0 {
		t.Errorf("sent %d times over a pause", n)
	}
	if code := two.call("POST", "/channels/flu/resume", nil); code != http.StatusOK {
		t.Fatalf("resume: status %d", code)
	}
	process.Eventually(t, patience, "it is accepted", func() bool { return w.arrivals()[digest].Accepted == 1 })
}
