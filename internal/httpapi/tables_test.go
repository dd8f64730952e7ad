package httpapi

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sheet"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// hostile begin formulas in the ways there are.
var hostile = []string{"=cmd|'/c calc'!A1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", " =1", "＝1", "＋1", "－1", "＠x"}

// hostileWorld has them wherever a name or a word comes from outside.
func hostileWorld() *world {
	w := newWorld()
	w.findings, w.accounts = nil, nil
	for i, h := range hostile {
		w.findings = append(w.findings, upload.Finding{
			Severity: upload.Error, Rule: "COL-UNKNOWN", Row: int64(i), Column: h, Params: map[string]string{"expected": h, "shape": h},
		}, upload.Finding{Severity: upload.Error, Rule: h})
		w.accounts = append(w.accounts, journal.Account{
			ID: upload.ID("a" + h), Channel: upload.Channel(h), Kind: upload.Kind(h), Filename: h + ".csv", Digest: h, Rows: 4,
			State: upload.StateRetired, Verdict: upload.Accepted, Holds: true, SpottedAt: start, SentAt: start, UpdatedAt: start,
			Receipt: &upload.Receipt{ServerID: h, Message: h, At: start, Grades: &upload.Grades{Stocked: 10, Total: 10}},
		})
	}
	return w
}

func TestNoCellOfAnyTableIsAFormula(t *testing.T) {
	t.Parallel()
	tables := map[string]request{
		"listFindings":      {path: "/uploads/full/findings?format=csv"},
		"getReconciliation": {path: "/reconciliation?group=file&format=csv"},
		"validateFile":      preview("filename=flu_1.csv&format=csv", "P4\r\n"),
	}
	s := hostileWorld().server(t, today)
	for _, op := range samples(t) {
		for _, answer := range op.route.Operation.Responses.Map() {
			if answer.Value.Content["text/csv"] == nil {
				continue
			}
			r, ok := tables[op.id]
			if !ok {
				t.Errorf("%s answers with CSV and is not tried", op.id)
				continue
			}
			mustHoldNoFormula(t, op.id, call(t, s, r))
		}
	}
}

func mustHoldNoFormula(t *testing.T, id string, a answer) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(a.body), "\ufeff"))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %v in %q", id, err, a.body)
	}
	made := 0
	for _, row := range rows {
		for _, cell := range row {
			if sheet.Cell(cell) != cell {
				t.Errorf("%s: %q is a formula", id, cell)
			}
			if strings.HasPrefix(cell, "'") {
				made++
			}
		}
	}
	if made == 0 {
		t.Errorf("%s: nothing hostile has come as far as the table", id)
	}
}

func TestNegativeCountsStayNumbers(t *testing.T) {
	t.Parallel()
	a := call(t, hostileWorld().server(t, today), request{path: "/reconciliation?group=file&format=csv"})
	if !strings.Contains(string(a.body), ",-6,") { // four rows exported, ten stored
		t.Errorf("%s", a.body)
	}
}
