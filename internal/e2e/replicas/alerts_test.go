package replicas

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// slow is how long the receiver takes to answer: time for another replica to
// send the same.
const slow = 2 * time.Second

// ear is a slow receiver of alerts that counts what it hears of each.
type ear struct {
	mu     sync.Mutex
	opened map[string]int // messages that an alert has opened, by its id
	events map[string]string
}

func (e *ear) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var m struct{ ID, Notice, Event string }
	if json.NewDecoder(r.Body).Decode(&m) != nil {
		return
	}
	e.mu.Lock()
	if m.Notice == "opened" {
		e.opened[m.ID]++
		e.events[m.ID] = m.Event
	}
	e.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-r.Context().Done():
	}
}

// heard gives how many alerts of an event were told of.
func (e *ear) heard(event string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, of := range e.events {
		if of == event {
			n++
		}
	}
	return n
}

func TestOfReplicasOneTellsOfAnAlertAndAnotherGoesOnWhenItDies(t *testing.T) {
	t.Parallel()
	e := &ear{opened: map[string]int{}, events: map[string]string{}}
	receiver := httptest.NewServer(e)
	defer receiver.Close()
	w := newWorld(t, 2*time.Second, "ALERT_WEBHOOK_URL="+receiver.URL, "ALERT_GROUP_WAIT=1s", "ALERT_REPEAT=0s")
	all := []*replica{w.launch(), w.launch()}
	for _, r := range all {
		w.ready(r)
	}
	const rounds = 3
	for round := 1; round <= rounds; round++ {
		if round == rounds {
			all[0].Kill()
			all = all[1:]
		}
		for event, name := range map[string]string{"rejected": "reject", "partially_accepted": "partial"} {
			w.drop(fmt.Sprintf("flu_%s_%d.csv", name, round), uint64(time.Now().UnixNano()))
			process.Eventually(t, patience, fmt.Sprintf("round %d: somebody is told of what was %s", round, event), func() bool { return e.heard(event) == round })
		}
		// Acknowledged, or its sender killed, before the receiver has answered, a
		// message would stay unnoted for good.
		process.Eventually(t, patience, fmt.Sprintf("round %d: the journal says that each was delivered once", round), func() bool {
			n, err := w.count(`SELECT count(*) FROM alerts WHERE deliveries = 1`)
			return err == nil && n == 2*round
		})
		w.acknowledge(all[round%len(all)]) // the next file is a new alert; a second message of this round has until then
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.opened) != 2*rounds {
		t.Errorf("%d alerts were told of, want %d", len(e.opened), 2*rounds)
	}
	for id, n := range e.opened {
		if n != 1 {
			t.Errorf("%d messages of alert %s (%s), want one", n, id, e.events[id])
		}
	}
}

// acknowledge says at a replica that all open alerts were seen.
func (w *world) acknowledge(r *replica) {
	w.t.Helper()
	var page struct{ Items []struct{ ID string } }
	if code := r.call(http.MethodGet, "/alerts", &page); code != http.StatusOK || len(page.Items) == 0 {
		w.t.Fatalf("alerts: status %d, %d open", code, len(page.Items))
	}
	for _, a := range page.Items {
		if code := r.call(http.MethodPost, "/alerts/"+a.ID+"/acknowledge", nil); code != http.StatusOK {
			w.t.Fatalf("acknowledge %s: status %d", a.ID, code)
		}
	}
}
