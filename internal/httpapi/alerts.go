package httpapi

import (
	"context"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

// ListAlerts gives one page of alerts.
func (h *handlers) ListAlerts(ctx context.Context, r api.ListAlertsRequestObject) (api.ListAlertsResponseObject, error) {
	p := r.Params
	page, err := h.Alerts.List(ctx, or(p.State, "open") == "open", or(p.Cursor, ""), or(p.Limit, defaultLimit))
	if err != nil {
		return nil, err
	}
	return api.ListAlerts200JSONResponse{Items: each(page.Alerts, viewAlert), Next: orNil(page.Next)}, nil
}

// AcknowledgeAlert says that an alert was seen.
func (h *handlers) AcknowledgeAlert(ctx context.Context, r api.AcknowledgeAlertRequestObject) (api.AcknowledgeAlertResponseObject, error) {
	a, err := h.Alerts.Acknowledge(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return api.AcknowledgeAlert200JSONResponse(viewAlert(a)), nil
}

// TestAlerts sends a test message.
func (h *handlers) TestAlerts(ctx context.Context, _ api.TestAlertsRequestObject) (api.TestAlertsResponseObject, error) {
	result, err := h.Alerts.Test(ctx)
	if err != nil {
		return nil, err
	}
	return api.TestAlerts200JSONResponse(viewTest(result)), nil
}

func viewAlert(a journal.Alert) api.Alert {
	state := "open"
	switch {
	case !a.ResolvedAt.IsZero():
		state = "resolved"
	case !a.AcknowledgedAt.IsZero():
		state = "acknowledged"
	}
	both := func(words func(journal.Alert, phrase.Lang) string) api.Text {
		return api.Text{Zh: words(a, phrase.Chinese), En: words(a, phrase.English)}
	}
	remedy := both(alert.Remedy)
	return api.Alert{
		ID: a.ID, Key: a.Key, Event: a.Event, Severity: a.Severity, State: state,
		Channel: orNil(string(a.Channel)), Kind: orNil(string(a.Kind)), Subject: orNil(a.Subject),
		Title: both(alert.Title), Text: both(alert.Text), Remedy: &remedy, Count: alert.Pending(a),
		Files: each(a.Files, func(f journal.AlertFile) api.AlertFile {
			return api.AlertFile{Filename: f.Name, UploadID: string(f.UploadID)}
		}),
		OpenedAt: a.OpenedAt, UpdatedAt: a.UpdatedAt, AcknowledgedAt: orNil(a.AcknowledgedAt), AcknowledgedBy: orNil(a.AcknowledgedBy), ResolvedAt: orNil(a.ResolvedAt),
		Delivery: api.AlertDelivery{
			NextAt: orNil(a.DueAt), Attempt: a.Attempt, LastError: orNil(a.LastError), Delivered: a.Deliveries, DeliveredAt: orNil(a.ToldAt),
		},
	}
}
