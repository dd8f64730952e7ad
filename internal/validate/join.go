package validate

import (
	"slices"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// defaultFindings are kept in full where nothing else is asked for.
const defaultFindings = 1000

// Join adds findings that concern this file but came of comparing it with others
// (see Batch). At most limit findings are kept in all (0: 1000); all are counted.
func (r *Report) Join(more []upload.Finding, limit int) {
	if limit <= 0 {
		limit = defaultFindings
	}
	for _, f := range more {
		switch f.Severity {
		case upload.Fatal:
			r.Tally.Fatal++
		case upload.Error:
			r.Tally.Error++
		case upload.Warning:
			r.Tally.Warning++
		default:
			continue // a rule that is off
		}
		if len(r.Findings) < limit {
			r.Findings = append(r.Findings, f)
		}
		at := slices.IndexFunc(r.Counts, func(c RuleCount) bool { return c.Rule == f.Rule && c.Column == f.Column })
		if at < 0 {
			r.Counts = append(r.Counts, RuleCount{Rule: f.Rule, Column: f.Column, Severity: f.Severity})
			at = len(r.Counts) - 1
		}
		r.Counts[at].N++
	}
}
