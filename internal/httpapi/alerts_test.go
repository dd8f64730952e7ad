package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
)

// alerts has one alert, of the id "id".
type alerts struct{ w *world }

func anAlert() journal.Alert {
	return journal.Alert{
		ID: "id", Key: "rejected/flu/lis", Event: "rejected", Severity: "warning", Channel: "flu", Kind: "lis", Params: map[string]string{"reason": "rejected_by_server"},
		Files: []journal.AlertFile{{Name: "<script>alert(1)</script>.csv", UploadID: "u"}}, Count: 3, Settled: 1, OpenedAt: start, UpdatedAt: start,
		DueAt: start.Add(time.Minute), Attempt: 2, LastError: "no connection to the receiver",
	}
}

func (alerts) List(_ context.Context, openOnly bool, cursor string, _ int) (journal.AlertPage, error) {
	if cursor != "" {
		return journal.AlertPage{}, journal.ErrBadCursor
	}
	page := journal.AlertPage{Alerts: []journal.Alert{anAlert()}}
	if !openOnly {
		over := anAlert()
		over.ID, over.ResolvedAt = "over", start
		page.Alerts = append(page.Alerts, over)
	}
	return page, nil
}

func (alerts) Open(context.Context) (int64, error) { return 1, nil }

func (alerts) Acknowledge(_ context.Context, id string) (journal.Alert, error) {
	switch id {
	case "over":
		return journal.Alert{}, alert.ErrOver
	case "nobody":
		return journal.Alert{}, journal.ErrNotFound
	}
	a := anAlert()
	a.AcknowledgedAt, a.AcknowledgedBy = start, "api"
	return a, nil
}

func (al alerts) Test(context.Context) (TestResult, error) {
	if al.w.receiverMissing {
		return TestResult{}, ErrNoReceiver
	}
	return TestResult{OK: false, Detail: "code 310000", Steps: []Step{{Name: "sent", State: StepPassed}, {Name: "answer", State: StepFailed, Detail: "code 310000"}}}, nil
}

func TestAlertsAreShownAcknowledgedAndTested(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.opToken = opToken
	s := w.server(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		holds        []string
	}{
		{"GET", "/alerts", 200, []string{`"state":"open"`, `"key":"rejected/flu/lis"`, `"count":2`, `"text":{"en":"2 file(s) rejected`, `"last_error":"no connection`, `"next":null`}},
		{"GET", "/alerts?state=all", 200, []string{`"state":"resolved"`}},
		{"GET", "/alerts?state=gone", 400, nil},
		{"GET", "/alerts?cursor=x", 400, []string{"cursor"}},
		{"POST", "/alerts/id/acknowledge", 200, []string{`"state":"acknowledged"`, `"acknowledged_by":"api"`}},
		{"POST", "/alerts/over/acknowledge", 409, []string{"resolved already"}},
		{"POST", "/alerts/nobody/acknowledge", 404, nil},
		{"POST", "/alerts/test", 200, []string{`"ok":false`, `"name":"answer"`, "310000"}},
		{"GET", "/status", 200, []string{`"open_alerts":1`}},
	} {
		got := call(t, s, request{method: c.method, path: c.path, token: opToken})
		if got.status != c.status {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.path, got.status, c.status, got.body)
		}
		for _, part := range c.holds {
			if !strings.Contains(string(got.body), part) {
				t.Errorf("%s %s: no %s in %s", c.method, c.path, part, got.body)
			}
		}
	}
	w.receiverMissing = true
	if got := call(t, s, request{method: http.MethodPost, path: "/alerts/test", token: opToken}); got.status != http.StatusConflict {
		t.Errorf("test without a receiver: %d", got.status)
	}
}
