package journal

import (
	"context"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// findingsAtOnce is how many findings one statement inserts.
const findingsAtOnce = 100

// NumberedFinding is a finding with its place in the upload's list, from 1.
type NumberedFinding struct {
	N int64
	upload.Finding
}

// FindingFilter selects findings of an upload; empty fields select all.
type FindingFilter struct {
	After      int64 // those numbered higher
	Limit      int   // 0: all
	Severities []upload.Severity
	Rules      []string
	Columns    []string
}

// Findings are an upload's findings, in their order.
func (j *Journal) Findings(ctx context.Context, id upload.ID, f FindingFilter) ([]NumberedFinding, error) {
	const op = "read findings"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	w := where{}
	w.add(`upload_id = ?`, id)
	w.add(`n > ?`, f.After)
	oneOf(&w, `severity`, f.Severities)
	oneOf(&w, `rule`, f.Rules)
	oneOf(&w, `column_code`, f.Columns)
	limit := ``
	if f.Limit > 0 {
		limit = ` LIMIT ?`
		w.args = append(w.args, f.Limit)
	}
	all, err := collect(ctx, j, func(v *NumberedFinding) []any {
		return []any{&v.N, &v.Severity, &v.Rule, &v.Row, &v.Column, params{&v.Params}}
	}, `SELECT n, severity, rule, row_no, column_code, params FROM findings`+w.sql()+` ORDER BY n`+limit, w.args...)
	return all, j.fail(op, err)
}

// replaceFindings puts all at the place of what was found before.
func replaceFindings(ctx context.Context, t txn, id upload.ID, all []upload.Finding) error {
	if _, err := t.exec(ctx, `DELETE FROM findings WHERE upload_id = ?`, id); err != nil {
		return err
	}
	return insertFindings(ctx, t, id, 0, all)
}

// insertFindings stores all, numbered on from have.
func insertFindings(ctx context.Context, t txn, id upload.ID, have int, all []upload.Finding) error {
	const row = `(?, ?, ?, ?, ?, ?, ?), `
	for done := 0; done < len(all); {
		batch := all[done:min(done+findingsAtOnce, len(all))]
		args := make([]any, 0, 7*len(batch))
		for i := range batch {
			f := &batch[i]
			args = append(args, id, have+done+i+1, f.Severity, f.Rule, f.Row, f.Column, params{&f.Params})
		}
		_, err := t.exec(ctx, `INSERT INTO findings (upload_id, n, severity, rule, row_no, column_code, params) VALUES `+
			strings.TrimSuffix(strings.Repeat(row, len(batch)), ", "), args...)
		if err != nil {
			return err
		}
		done += len(batch)
	}
	return nil
}
