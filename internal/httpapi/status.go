package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
)

// GetStatus gives the program and its channels at a glance.
func (h *handlers) GetStatus(ctx context.Context, _ api.GetStatusRequestObject) (api.GetStatusResponseObject, error) {
	channels, err := h.Channels.List(ctx)
	if err != nil {
		return nil, err
	}
	alerts, err := h.Alerts.Open(ctx)
	if err != nil {
		return nil, err
	}
	obstacles := h.Health.Ready(ctx)
	var rebuilt *api.JournalRebuilt
	if h.Rebuilt != nil {
		if at, damaged := h.Rebuilt(ctx); !at.IsZero() {
			rebuilt = &api.JournalRebuilt{At: at.UTC(), Damaged: damaged}
		}
	}
	return api.GetStatus200JSONResponse{
		JournalRebuilt: rebuilt, Version: h.Version, StartedAt: h.StartedAt.UTC(), Now: h.Now().UTC(),
		Ready: len(obstacles) == 0, Reasons: viewObstacles(obstacles), Pace: viewPace(h.Pace, h.Now()), OpenAlerts: alerts, Expectations: viewStandings(h.Calendar), Channels: each(channels, viewChannel),
	}, nil
}

// viewPace is when and how fast may be uploaded; without a pace, always and
// without limit.
func viewPace(of func(now time.Time) Pace, now time.Time) api.Pace {
	if of == nil {
		return api.Pace{Open: true}
	}
	p := of(now)
	v := api.Pace{Open: p.Open, UploadWindow: orNil(p.Window), BandwidthLimit: orNil(p.Limit), BitsPerSecond: orNil(p.BitsPerSecond)}
	if !p.ChangesAt.IsZero() {
		at := p.ChangesAt.UTC()
		v.ChangesAt = &at
	}
	return v
}

// health asks for both answers.
func (h *handlers) health(ctx context.Context) api.Health {
	live, ready := h.Health.Live(ctx), h.Health.Ready(ctx)
	return api.Health{
		Live: len(live) == 0, Ready: len(live) == 0 && len(ready) == 0,
		Reasons: append(viewObstacles(live), viewObstacles(ready)...),
	}
}

// GetLivez says whether our own loops move.
func (h *handlers) GetLivez(ctx context.Context, _ api.GetLivezRequestObject) (api.GetLivezResponseObject, error) {
	v := h.health(ctx)
	if !v.Live {
		return nil, &problem{status: http.StatusServiceUnavailable, name: "not-live", health: &v}
	}
	return api.GetLivez200JSONResponse{HealthyJSONResponse: api.HealthyJSONResponse(v)}, nil
}

// GetReadyz says whether files can be taken.
func (h *handlers) GetReadyz(ctx context.Context, _ api.GetReadyzRequestObject) (api.GetReadyzResponseObject, error) {
	v := h.health(ctx)
	if !v.Ready {
		return nil, &problem{status: http.StatusServiceUnavailable, name: "not-ready", health: &v}
	}
	return api.GetReadyz200JSONResponse{HealthyJSONResponse: api.HealthyJSONResponse(v)}, nil
}

// GetHealthz has the status code of liveness and tells of readiness too.
func (h *handlers) GetHealthz(ctx context.Context, _ api.GetHealthzRequestObject) (api.GetHealthzResponseObject, error) {
	v := h.health(ctx)
	if !v.Live {
		return nil, &problem{status: http.StatusServiceUnavailable, name: "not-live", health: &v}
	}
	return api.GetHealthz200JSONResponse{HealthyJSONResponse: api.HealthyJSONResponse(v)}, nil
}

// writeJSON answers with v; nothing has been written if it fails to encode.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(b, '\n'))
	return err
}
