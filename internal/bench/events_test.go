package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// event is what is read of an event of the sidecar.
type event struct {
	UploadID string    `json:"upload_id"`
	At       time.Time `json:"at"`
	Name     string    `json:"name"`
	To       string    `json:"to"`
	Verdict  string    `json:"verdict"`
}

// follow hands on every event from the journal's beginning until ctx ends.
func (s *sidecar) follow(ctx context.Context, t *testing.T) <-chan event {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/events?after=0", http.NoBody)
	must(t, err)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	events := make(chan event, 4096)
	go func() {
		defer close(events)
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			var e event
			if !ok || json.Unmarshal([]byte(data), &e) != nil {
				continue
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events
}

// next gives the next event.
func next(ctx context.Context, t *testing.T, events <-chan event) event {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("the event stream ended")
		}
		return e
	case <-ctx.Done():
	case <-timer.C:
	}
	t.Fatal("waited in vain for an event")
	return event{}
}

// journey is when one upload came to each state.
type journey map[string]time.Time

// journeys follows n uploads to their ends. It fails the test if one ends
// otherwise than accepted.
func journeys(ctx context.Context, t *testing.T, events <-chan event, n int) []journey {
	t.Helper()
	under, all := map[string]journey{}, []journey{}
	for len(all) < n {
		e := next(ctx, t, events)
		j := under[e.UploadID]
		if j == nil {
			j = journey{}
			under[e.UploadID] = j
		}
		if _, ok := j[e.To]; !ok {
			j[e.To] = e.At
		}
		switch e.To {
		case "retired":
			if e.Verdict != "accepted" {
				t.Fatalf("upload ended %q", e.Verdict)
			}
			all = append(all, j)
		case "failed", "cancelled", "vanished", "superseded":
			t.Fatalf("upload ended %s", e.To)
		}
	}
	return all
}
