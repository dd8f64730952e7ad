package journal

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// keptFindings are stored of an upload; what comes on top is only counted.
const keptFindings = 1000

// AddFindings adds what comparing an upload's file with others of its batch
// found, whoever holds the upload and whatever its state: findings are remarks,
// they decide nothing. An upload that is not there (any more) is ErrNotFound.
func (j *Journal) AddFindings(ctx context.Context, id upload.ID, more []upload.Finding, now time.Time) error {
	const op = "add findings"
	if err := j.begin(op); err != nil {
		return err
	}
	if len(more) == 0 {
		return nil
	}
	err := j.transact(ctx, func(t txn) error {
		before, err := j.load(ctx, t, id)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return addFindings(ctx, t, before.Upload, more, now)
	})
	if err == nil {
		j.notify()
	}
	return j.fail(op, err)
}

func addFindings(ctx context.Context, t txn, u upload.Upload, more []upload.Finding, now time.Time) error {
	var have int
	if err := t.row(ctx, `SELECT count(*) FROM findings WHERE upload_id = ?`, u.ID).Scan(&have); err != nil {
		return err
	}
	if err := insertFindings(ctx, t, u.ID, have, more[:min(len(more), max(keptFindings-have, 0))]); err != nil {
		return err
	}
	for _, f := range more {
		switch f.Severity {
		case upload.Fatal:
			u.Findings.Fatal++
		case upload.Error:
			u.Findings.Error++
		case upload.Warning:
			u.Findings.Warning++
		}
	}
	_, err := t.execOn(ctx, u.ID, `UPDATE uploads SET findings_fatal = ?, findings_error = ?, findings_warning = ? WHERE id = ?`,
		u.Findings.Fatal, u.Findings.Error, u.Findings.Warning, u.ID)
	if err != nil {
		return err
	}
	return addEvent(ctx, t, upload.Event{
		UploadID: u.ID, Channel: u.Channel, At: now.UTC(), Name: "compared", From: u.State, To: u.State, Verdict: u.Verdict, Attempt: u.Attempt,
	})
}
