package httpapi

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestFindingsArePagedAndFiltered(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	var rules []string
	for path := "/uploads/full/findings?limit=1"; ; {
		page := call(t, s, request{path: path}).json(t)
		items, _ := page["items"].([]any)
		if len(items) != 1 {
			t.Fatalf("got %v", page)
		}
		f, _ := items[0].(map[string]any)
		rules = append(rules, f["rule"].(string))
		next, ok := page["next"].(string)
		if !ok {
			break
		}
		path = "/uploads/full/findings?limit=1&cursor=" + next
	}
	if d := cmp.Diff([]string{"COL-REQUIRED", "COL-UNKNOWN", "CSV-QUOTE"}, rules); d != "" {
		t.Error(d)
	}
	page := call(t, s, request{path: "/uploads/full/findings?severity=fatal&severity=warning"}).json(t)
	if items, _ := page["items"].([]any); len(items) != 2 || page["next"] != nil {
		t.Errorf("filtered: %v", page)
	}
}

func TestFindingsAsCSVOpenInExcelAndAreNoFormulas(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for name, r := range map[string]request{
		"by format":             {path: "/uploads/full/findings?format=csv"},
		"by Accept":             {path: "/uploads/full/findings", header: map[string]string{"Accept": "text/csv"}},
		"by Accept before JSON": {path: "/uploads/full/findings", header: map[string]string{"Accept": "text/html, text/csv;q=0.9, application/json"}},
	} {
		a := call(t, s, r)
		body := string(a.body)
		if !strings.HasPrefix(body, "\ufeff") || !strings.Contains(a.header.Get("Content-Type"), "text/csv") || !strings.Contains(a.header.Get("Content-Disposition"), "findings-full.csv") {
			t.Fatalf("%s: %d %v %q", name, a.status, a.header, body)
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
		if err != nil || len(rows) != 4 {
			t.Fatalf("%s: %v %v", name, rows, err)
		}
		if d := cmp.Diff([]string{"severity", "rule", "row", "column", "text_zh", "text_en"}, rows[0]); d != "" {
			t.Error(d)
		}
		if rows[1][0] != "error" || rows[1][2] != "17" || rows[1][3] != "P7506" || rows[2][3] != `'=HYPERLINK("x")` || rows[2][2] != "" {
			t.Errorf("%s: %v", name, rows)
		}
	}
}

func TestJSONIsTheFormWhereNothingElseIsPreferred(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for _, r := range []request{
		{path: "/uploads/full/findings"},
		{path: "/uploads/full/findings", header: map[string]string{"Accept": "*/*"}},
		{path: "/uploads/full/findings", header: map[string]string{"Accept": "application/json, text/csv"}},
		{path: "/uploads/full/findings?format=json", header: map[string]string{"Accept": "text/csv"}},
		{path: "/uploads/full/findings", header: map[string]string{"Accept": ";;;"}},
	} {
		if a := call(t, s, r); a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: %s", r, a.header.Get("Content-Type"))
		}
	}
}

func TestAFindingHoldsItsParticularsInBothLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.findings = []upload.Finding{{Severity: upload.Error, Rule: "NO-SUCH-RULE"}}
	items, _ := call(t, w.server(t, nil), request{path: "/uploads/full/findings"}).json(t)["items"].([]any)
	want := map[string]any{"severity": "error", "rule": "NO-SUCH-RULE", "row": nil, "column": nil, "params": map[string]any{}, "text": map[string]any{"zh": "NO-SUCH-RULE", "en": "NO-SUCH-RULE"}}
	if d := cmp.Diff(want, items[0]); d != "" {
		t.Error(d)
	}
}
