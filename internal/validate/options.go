package validate

import (
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Codings are the versions of the code systems a channel uses: "national"
// (全国版) or "beijing" (北京版). They choose among mounted code lists.
type Codings struct {
	Diagnosis  string
	Morphology string
	Procedure  string
}

// Options of a check; the zero value will do.
type Options struct {
	// Standard names the standard to check against; empty: chosen by the header.
	Standard string
	// Now is the time that "not in the future" means; zero: no such check.
	Now time.Time
	// MaxFindings are kept in full, the rest is counted; 0: 1000.
	MaxFindings int
	// Codings choose the mounted code lists.
	Codings Codings
	// Severities override those of the standard, by rule id; standard.Off
	// switches a rule off.
	Severities map[string]upload.Severity
	// Links gathers the keys of rows that other files of the batch refer to;
	// nil: links are not checked.
	Links Links
	// Plans shares what is laid out for a header with other checks; nil: nothing is.
	Plans *Plans
}

// Links takes the keys by which files of one batch refer to each other. See
// Batch for files checked one after the other, Batches for those that the stage
// checks side by side.
type Links interface {
	// Have: this file has a row with that key over columns of that name.
	Have(kind upload.Kind, columns string, key uint64)
	// Need: this row of this file needs one with that key in a file of kind to.
	Need(to upload.Kind, columns string, key uint64, row int64, rule Ref)
}

// Ref is a rule as a finding names it.
type Ref struct {
	Rule     string
	Severity upload.Severity
	Column   string
}

// RuleCount says how often a rule was broken in a column.
type RuleCount struct {
	Rule     string          `json:"rule"`
	Column   string          `json:"column,omitempty"`
	Severity upload.Severity `json:"severity"`
	N        int64           `json:"count"`
}

// Report is what a check found out.
type Report struct {
	// Rows are the data rows: no header, no blank lines.
	Rows int64
	// RowsInError are those with an error of their own; all of them when the
	// file as a whole has an error or worse (its header, its encoding).
	RowsInError int64
	Bytes       int64
	Charset     string
	Standard    string // empty when the header fits none
	Kind        upload.Kind
	Tally       upload.Tally
	// Findings are the first ones in full, in the order of the rows.
	Findings []upload.Finding
	// Counts count all findings, also those not kept, by rule and column.
	Counts []RuleCount
}

// chinaTime is the wall clock of the files: their times bear no zone.
func chinaTime(t time.Time) time.Time { return t.In(time.FixedZone("CST", 8*3600)) }

// layouts lists those a file may have under these options.
func (o Options) layouts(lib *standard.Library, channel upload.Channel, kind upload.Kind) []*standard.Layout {
	all := lib.Layouts(channel, kind)
	if o.Standard == "" {
		return all
	}
	for _, l := range all {
		if l.Standard == o.Standard {
			return []*standard.Layout{l}
		}
	}
	return all
}
