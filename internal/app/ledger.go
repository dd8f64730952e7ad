package app

import (
	"context"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/watch"
)

// ledger is the journal as the watch tells it of files. What is complete at sight
// is told as that, so that its upload begins and settles in one change. The watch goes
// by our own clock; the journal is told of files by its own, by which they are due.
type ledger struct{ a *App }

var _ watch.Ledger = ledger{}

// SpotAll implements watch.Ledger.
func (l ledger) SpotAll(ctx context.Context, all []upload.Sighting) []upload.Spotted {
	told := slices.Clone(all)
	for i := range told {
		told[i].At = l.at(told[i])
		told[i].Complete = l.a.stages.settle.AtSight(told[i])
	}
	return l.a.journal.SpotAll(ctx, told)
}

// at is when a file was seen, by the journal's clock.
func (l ledger) at(s upload.Sighting) time.Time {
	if !l.a.journal.Shared() {
		return s.At
	}
	return l.a.journal.Now().Add(-max(0, l.a.now().Sub(s.At))).UTC()
}

// Foretell implements watch.Ledger.
func (l ledger) Foretell(ctx context.Context, s upload.Sighting) (upload.Upload, upload.Spotting, error) {
	return l.a.journal.Foretell(ctx, s)
}

// began goes on with an upload that the watch began.
func (a *App) began(u upload.Upload) {
	if u.State != upload.StateSettled {
		a.pipeline.Follow(u)
		return
	}
	before := u
	before.State = upload.StateSpotted
	a.pipeline.Passed(before, u, upload.Settled(u.Source))
}
