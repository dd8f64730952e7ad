package sandbox

import (
	"io"
	"maps"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
)

// Standards is the Examiner that knows the interface standards: the same data
// and rules by which the sidecar checks a file before it sends it.
type Standards struct {
	lib   *standard.Library
	plans *validate.Plans
	now   func() time.Time
}

// NewStandards loads the embedded standards; now is what "not in the future" means.
func NewStandards(now func() time.Time) (*Standards, error) {
	lib, err := standard.Load(nil)
	if err != nil {
		return nil, err
	}
	return &Standards{lib: lib, plans: &validate.Plans{}, now: now}, nil
}

// Kind implements Examiner.
func (s *Standards) Kind(ch upload.Channel, filename string) (upload.Kind, bool) {
	return s.lib.Kind(ch, filename)
}

// gradedFindings is how many findings are looked at one by one to tell rows
// with warnings from rows without; beyond them grade2 is too low, grade3 too high.
const gradedFindings = 10_000

const copyBuffer = 32 << 10

// copyBuffers keeps what packages are read through.
var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// copyAll is io.Copy by a buffer that is lent.
func copyAll(to io.Writer, from io.Reader) error {
	buf, _ := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buf)
	_, err := io.CopyBuffer(to, from, buf[:])
	return err
}

// Examine implements Examiner.
func (s *Standards) Examine(ch upload.Channel, kind upload.Kind, csv io.Reader) (Examined, error) {
	checker := validate.NewChecker(s.lib, ch, kind, validate.Options{Now: s.now(), MaxFindings: gradedFindings, Plans: s.plans})
	if err := copyAll(checker, csv); err != nil {
		return Examined{}, err
	}
	report := checker.Close()
	return Examined{
		Rows: report.Rows, RowsFailed: report.RowsInError, RowsWarned: warnedRows(report.Findings),
		Charset: report.Charset, Standard: report.Standard, Tally: report.Tally, Findings: report.Findings,
	}, nil
}

// warnedRows counts the rows that have warnings and nothing worse.
func warnedRows(findings []upload.Finding) (n int64) {
	worst := map[int64]int{}
	for _, f := range findings {
		if f.Row > 1 {
			worst[f.Row] = max(worst[f.Row], f.Severity.Rank())
		}
	}
	for _, rank := range worst {
		if rank == upload.Warning.Rank() {
			n++
		}
	}
	return n
}

// findingWords is a finding's text in one language.
func findingWords(lang phrase.Lang, f upload.Finding) string {
	params := map[string]string{"column": f.Column}
	maps.Copy(params, f.Params)
	return phrase.Text(lang, "rule."+f.Rule, params)
}
