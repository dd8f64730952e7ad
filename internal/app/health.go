package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// standstill is how long a crew of lanes may show no sign of life. Idle lanes
// show one every 15 s, busy ones every third of a lease.
const standstill = 2 * time.Minute

// health says whether our own loops move, and whether files can be taken.
// Neither the server nor telemetry has a say.
type health struct {
	a       *App
	started time.Time // by the wall clock, to be shown
	began   time.Time // the same moment with a steady reading
	leaving atomic.Bool
}

func newHealth(a *App) *health { return &health{a: a, started: a.now(), began: time.Now()} }

// Live implements httpapi.Health. It goes by the steady clock: neither a clock that
// is set nor a database whose clock differs makes us dead, or hides a standstill.
func (h *health) Live(context.Context) []httpapi.Obstacle {
	beat := h.a.pipeline.LastBeat()
	if beat.IsZero() {
		beat = h.began
	}
	if time.Since(beat) > standstill {
		return []httpapi.Obstacle{{Reason: upload.InternalFault, Detail: "the lanes show no sign of life"}}
	}
	return nil
}

// Ready implements httpapi.Health.
func (h *health) Ready(context.Context) []httpapi.Obstacle {
	var all []httpapi.Obstacle
	if h.leaving.Load() {
		all = append(all, httpapi.Obstacle{Reason: upload.InternalFault, Detail: "shutting down"})
	}
	if free, err := h.a.state.FreeBytes(); err == nil && free < int64(h.a.cfg.DiskReserve) {
		all = append(all, httpapi.Obstacle{Reason: upload.DiskFull})
	}
	journal := h.a.trouble.now()
	if journal != nil {
		all = append(all, httpapi.Obstacle{Reason: journal.Reason, Detail: journal.Detail})
	}
	all = append(all, h.a.forbidden.obstacles()...)
	for _, l := range h.a.ordered() {
		seen := l.watcher.Status()
		if seen.Reason != "" && seen.Reason != upload.PermissionDenied { // that one is looked after better above
			all = append(all, httpapi.Obstacle{Reason: seen.Reason, Channel: l.Name, Detail: seen.Detail})
		}
		if seen.Journal != "" && journal == nil {
			all = append(all, httpapi.Obstacle{Reason: seen.Journal, Channel: l.Name})
		}
	}
	return all
}
