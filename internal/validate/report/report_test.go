package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate/report"
)

var update = flag.Bool("update", false, "write golden files anew")

func library(t *testing.T) *standard.Library {
	t.Helper()
	lib, err := standard.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// tenFaults is a file of which ten things are wrong; every cell that is wrong
// holds the marker.
func tenFaults() string {
	const header = "P900,P6891,P7501,P7502,P4,P5,P6,P7,P7503,P13,P7504,P7505,P7506,P7507,P321,P322,P1,P7508,P7509,P7510,P7511,P7512,P8508,P8509,MARK\n"
	row := func(changes ...string) string {
		r := "121,医院,01,A%,张三,1,2005-03-07,18,01,110101200503070056,0301,1,2024-03-02 23:24:42,发热,J10.1,流感,7,1.00,1.00,1.00,1.00,1.00,2,,x\n"
		for i := 0; i+1 < len(changes); i += 2 {
			r = strings.Replace(r, changes[i], changes[i+1], 1)
		}
		return r
	}
	return header +
		row("A%", "A1", "张三", strings.Repeat("秘密", 21)) +
		row("A%", "A2", ",1,2005", ",秘密,2005") +
		row("A%", "A3", "2005-03-07", "秘密2005") +
		row("A%", "A4", "110101200503070056", "110101200503070057") +
		row("A%", "A5", ",0301,", ",301,") +
		row("A%", "A6", "2024-03-02 23:24:42", "2024-03-02") +
		row("A%", "A7", "发热", "") +
		row("A%", "A8", "1.00,1.00,1.00,1.00,1.00", "１.00,1.00,1.00,1.00,秘密") +
		row("A%", "A9", ",2,,", ",1,,") +
		"121,医院,01\n"
}

func tenReport(t *testing.T) validate.Report {
	t.Helper()
	c := validate.NewChecker(library(t), upload.Flu, "flu", validate.Options{Now: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)})
	_, _ = c.Write([]byte(tenFaults()))
	return c.Close()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (renew with -update):\n%s", name, d)
	}
}

func TestAReportReadsAsItShould(t *testing.T) {
	t.Parallel()
	r := tenReport(t)
	var zh, en, js, table bytes.Buffer
	for _, err := range []error{
		report.WriteText(&zh, phrase.Chinese, "flu_1.csv", r), report.WriteText(&en, phrase.English, "flu_1.csv", r),
		report.WriteJSON(&js, "flu_1.csv", r), report.WriteCSV(&table, []string{"flu_1.csv"}, []validate.Report{r}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "ten.zh.txt", zh.Bytes())
	golden(t, "ten.en.txt", en.Bytes())
	golden(t, "ten.json", js.Bytes())
	golden(t, "ten.csv", table.Bytes())
}

func TestNoFormOfAReportHoldsAValue(t *testing.T) {
	t.Parallel()
	r := tenReport(t)
	if len(r.Findings) < 10 {
		t.Fatalf("only %d findings", len(r.Findings))
	}
	var all bytes.Buffer
	_ = report.WriteText(&all, phrase.Chinese, "f.csv", r)
	_ = report.WriteJSON(&all, "f.csv", r)
	_ = report.WriteCSV(&all, []string{"f.csv"}, []validate.Report{r})
	for _, secret := range []string{"秘密", "张三", "110101200503070057", "2005-03-07", "秘密2005"} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("a report holds %q", secret)
		}
	}
}

func TestCSVOpensInExcelAndHoldsNoFormula(t *testing.T) {
	t.Parallel()
	r := validate.Report{Findings: []upload.Finding{{Severity: upload.Warning, Rule: "HDR-EXTRA", Row: 1, Column: "=1+1", Params: map[string]string{"n": "3", "shape": "-9", "expected": "-9+1"}}}}
	var b bytes.Buffer
	if err := report.WriteCSV(&b, []string{"@evil.csv"}, []validate.Report{r}); err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(b.String(), "\ufeff")
	if !ok {
		t.Error("no byte order mark")
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range rows[1] {
		if strings.ContainsAny(field[:min(1, len(field))], "=+-@") && field != "-9" { // that is a number
			t.Errorf("%q is a formula", field)
		}
	}
}

func TestFindingsOfAMountedRuleHaveWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		params map[string]string
		want   string
	}{
		"own words":         {map[string]string{"zh": "甲", "en": "own words", "form": "require"}, "own words"},
		"words of its form": {map[string]string{"form": "require", "expected": "A = 1", "name": "Age"}, "Age is required here (A = 1)"},
		"nothing at all":    {nil, "MY-RULE"},
	} {
		if got := report.Text(phrase.English, upload.Finding{Rule: "MY-RULE", Params: tc.params}); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRulesDocument(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := report.WriteRulesMarkdown(&b, library(t)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "{") {
		t.Error("a rule's text lacks a parameter")
	}
	golden(t, filepath.Join("..", "..", "..", "..", "docs", "rules.md"), b.Bytes())
}

func TestRulesAreListed(t *testing.T) {
	t.Parallel()
	lis := validate.Rules(library(t), "lis")
	var text, js bytes.Buffer
	if err := report.WriteRules(&text, phrase.English, lis); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteRulesJSON(&js, lis); err != nil {
		t.Fatal(err)
	}
	var items []struct{ ID string }
	if err := json.Unmarshal(js.Bytes(), &items); err != nil {
		t.Fatal(err)
	}
	if len(items) != len(lis) || strings.Count(text.String(), "\n") != len(lis) {
		t.Errorf("%d rules, %d in JSON", len(lis), len(items))
	}
	if !strings.Contains(text.String(), "LIS-P8005-REQUIRED") || strings.Contains(text.String(), "FLU-P6") {
		t.Errorf("the rules of lis:\n%s", text.String())
	}
}
