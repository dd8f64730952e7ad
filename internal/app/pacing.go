package app

import (
	"context"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pace"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// newBucket is what all sendings of all channels take from.
func (a *App) newBucket() *pace.Bucket {
	return pace.NewBucket(func(now time.Time) pace.Rate { return a.cfg.BandwidthLimit.At(now.In(time.Local)) }, nil)
}

// urgent lists the kinds of a channel that are due within EXPECT_WARN, or late,
// and have not arrived.
func (a *App) urgent(ch upload.Channel) []upload.Kind {
	if a.dueWithin == nil {
		return nil
	}
	return slices.DeleteFunc(a.standards.Kinds(ch), func(k upload.Kind) bool { return !a.dueWithin(ch, k, a.cfg.ExpectWarn) })
}

// opens is when an upload may be sent; zero: now.
func (a *App) opens(u upload.Upload, now time.Time) time.Time {
	local := now.In(time.Local)
	if a.cfg.UploadWindow.Holds(local) || a.cfg.UploadWindowUrgent == "send" && slices.Contains(a.urgent(u.Channel), u.Kind) {
		return time.Time{}
	}
	return a.cfg.UploadWindow.Change(local)
}

// wakeWaiting makes the uploads due that wait for a window: the one they wait
// for may be another than the one that is set now.
func (a *App) wakeWaiting(ctx context.Context) {
	for _, l := range a.ordered() {
		a.reopened(ctx, l.Name, []upload.Reason{upload.OutsideUploadWindow})
	}
}

// pace implements the Pace of httpapi.Options.
func (a *App) pace(now time.Time) httpapi.Pace {
	local, w, l := now.In(time.Local), a.cfg.UploadWindow, a.cfg.BandwidthLimit
	return httpapi.Pace{
		Open: w.Holds(local), ChangesAt: w.Change(local), Window: w.String(), Limit: l.String(), BitsPerSecond: l.At(local).Bits(),
	}
}
