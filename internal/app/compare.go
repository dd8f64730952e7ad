package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// unread reports whether a file in that state has not been through validation.
func unread(s upload.State) bool { return s == upload.StateSpotted || s == upload.StateSettled }

// comparing compares the files of a batch with each other once all of them have
// been read, until ctx ends. What it finds are warnings, added to the findings.
func (a *App) comparing(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case batch := <-a.compare:
			select {
			case <-ctx.Done():
				return
			case <-time.After(compareGather):
			}
			for batch := range a.alsoCompare(batch) {
				if err := a.compareBatch(ctx, batch); err != nil && ctx.Err() == nil {
					a.log.Warn("files of a batch were not compared with each other", slog.String("batch_id", batch), slog.Any("error", err))
				}
			}
		}
	}
}

// compareGather is how long a batch waits for the others of its batch and for other
// batches: of hundreds of files a second each would be a question to the journal.
const compareGather = 200 * time.Millisecond

// alsoCompare gives the batch and all others that wait, each once: many of one
// batch leave validation while it is being looked at.
func (a *App) alsoCompare(batch string) map[string]bool {
	all := map[string]bool{batch: true}
	for {
		select {
		case batch = <-a.compare:
			all[batch] = true
		default:
			return all
		}
	}
}

func (a *App) compareBatch(ctx context.Context, batch string) error {
	waiting, err := a.journal.List(ctx, journal.Filter{BatchID: batch, States: []upload.State{upload.StateSpotted, upload.StateSettled}}, "", 1)
	if err != nil {
		return err
	}
	if len(waiting.Uploads) > 0 {
		return nil // the last one will bring us here again
	}
	for id, found := range a.batches.Missing(batch) {
		if err := a.journal.AddFindings(ctx, id, found, a.journal.Now()); err != nil {
			return err
		}
	}
	return nil
}
