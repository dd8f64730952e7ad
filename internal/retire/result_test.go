package retire_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// quarantined retires a rejected upload and gives its result files.
func quarantined(t *testing.T, w *world, u upload.Upload) (jsonText, txt string) {
	t.Helper()
	got := w.run(w.process(), u)
	dir := filepath.Join(w.state, filepath.Dir(got.Path))
	return durabletest.Read(t, filepath.Join(dir, u.Filename+".result.json")), durabletest.Read(t, filepath.Join(dir, u.Filename+".result.txt"))
}

func TestResultFilesSayWhatHappenedInBothLanguages(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	w.findings = findings{{Severity: upload.Error, Rule: "NO-SUCH-RULE", Row: 17, Column: "P7506"}, {Severity: upload.Fatal, Rule: "WHOLE"}}
	u := w.decided(upload.Rejected)
	u.Reason, u.Rows, u.Findings = upload.RejectedByServer, 10, upload.Tally{Error: 1500, Fatal: 1}
	u.Receipt = &upload.Receipt{Status: "4", Message: "x", Stack: "java.lang", Grades: &upload.Grades{Total: 10, Below: 7}}
	data, txt := quarantined(t, w, u)
	var x struct {
		Verdict  string `json:"verdict"`
		Digest   string `json:"digest"`
		Rows     int64  `json:"rows"`
		Omitted  int64  `json:"findings_omitted"`
		Why      struct{ Zh, En string }
		Remedy   struct{ Zh, En string }
		Receipt  upload.Receipt
		Findings []struct {
			Rule string
			Row  int64
			Text struct{ Zh, En string }
		}
	}
	if err := json.Unmarshal([]byte(data), &x); err != nil {
		t.Fatal(err)
	}
	if x.Verdict != "rejected" || x.Digest != u.Digest || x.Rows != 10 || x.Omitted != 1499 || len(x.Findings) != 2 ||
		x.Findings[0].Row != 17 || x.Findings[0].Text.Zh == "" || x.Why.Zh == "" || x.Remedy.En == "" || x.Receipt.Grades.Below != 7 {
		t.Errorf("got %+v", x)
	}
	for _, part := range []string{"\uFEFF上传结果\r\n", "第 17 行 列 P7506", "低于入库标准：7", "整个文件", "另有 1499 条", "row 17 column P7506", "records in the package: 10"} {
		if !strings.Contains(txt, part) {
			t.Errorf("%q is missing in\n%s", part, txt)
		}
	}
	if zh, en := strings.Index(txt, "处理办法"), strings.Index(txt, "what to do"); zh < 0 || en < zh {
		t.Errorf("Chinese at %d, English at %d", zh, en)
	}
	if strings.Contains(data+txt, "java.lang") {
		t.Error("the server's stack was written out")
	}
	if strings.Contains(txt, "result.") {
		t.Errorf("a phrase is missing:\n%s", txt)
	}
}

func TestEveryVerdictHasWords(t *testing.T) {
	t.Parallel()
	for _, v := range upload.Verdicts() {
		if v.Good() {
			continue
		}
		w, _ := newWorld(t, false)
		if _, txt := quarantined(t, w, w.decided(v)); strings.Contains(txt, "result.") {
			t.Errorf("%s:\n%s", v, txt)
		}
	}
}

func TestAHoldOnTheWayDoesNotReplaceTheReasonOfTheVerdict(t *testing.T) {
	t.Parallel()
	for verdict, want := range usualReason {
		w, _ := newWorld(t, false)
		u := w.decided(verdict)
		u.Reason, u.Detail = upload.ReadOnly, "put the original away"
		data, _ := quarantined(t, w, u)
		if !strings.Contains(data, `"reason": "`+string(want)+`"`) || strings.Contains(data, u.Detail) {
			t.Errorf("%s:\n%s", verdict, data)
		}
	}
}

func TestNumbersOfPersonsAreMasked(t *testing.T) {
	t.Parallel()
	secrets := []string{"11010519491231002X", "13800138000", "６２２８４８０４０２５６４８９００１８"}
	w, _ := newWorld(t, false)
	w.findings = findings{{Severity: upload.Warning, Rule: "HEADER-UNKNOWN", Column: secrets[0], Params: map[string]string{"name": secrets[1]}}}
	u := w.decided(upload.Rejected)
	u.Reason, u.VerdictReason, u.Detail = upload.UploadRefused, upload.UploadRefused, secrets[1]
	u.Receipt = &upload.Receipt{Status: "5", Message: "行 3\r\n身份证" + strings.Join(secrets, "，") + "有误，代码 1234567890\x00"}
	data, txt := quarantined(t, w, u)
	for _, secret := range secrets {
		if strings.Contains(data+txt, secret[:11]) {
			t.Errorf("%s is in\n%s\n%s", secret, data, txt)
		}
	}
	if !strings.Contains(txt, "代码 1234567890") || !strings.Contains(txt, "行 3  身份证") {
		t.Errorf("too much was masked:\n%s", txt)
	}
}

func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	w.findings = make(findings, 5000)
	for i := range w.findings {
		w.findings[i] = upload.Finding{Severity: upload.Error, Rule: "R", Row: int64(i)}
	}
	u := w.decided(upload.Invalid)
	u.Findings.Error = 1_000_000
	u.Receipt = &upload.Receipt{Message: strings.Repeat("很长", 100_000)}
	data, txt := quarantined(t, w, u)
	if n := strings.Count(data, `"rule"`); n != 1000 {
		t.Errorf("%d findings", n)
	}
	if len(data) > 400<<10 || len(txt) > 400<<10 || !strings.Contains(txt, "另有 999000 条") || !utf8.ValidString(txt) {
		t.Errorf("%d and %d bytes", len(data), len(txt))
	}
}

func TestNamesOf255BytesGetResultsToo(t *testing.T) {
	t.Parallel()
	long := "flu_" + strings.Repeat("医", 82) + "x.csv"
	if len(long) != 255 {
		t.Fatalf("%d bytes", len(long))
	}
	for _, across := range []bool{false, true} {
		w, system := newWorld(t, across)
		u := w.decided(upload.Rejected)
		d := durabletest.Dir(t, w.watch)
		if err := d.Rename(name, long); err != nil {
			t.Fatal(err)
		}
		u.Filename = long
		seen, err := d.Look(long)
		if err != nil {
			t.Fatal(err)
		}
		u.Source = seen
		got := w.run(w.process(system), u)
		files := w.tree(filepath.Join(w.state, filepath.Dir(got.Path)))
		if got.Place != upload.InQuarantine || len(files) != 3 {
			t.Errorf("got %s, %v", got.Place, files)
		}
		for _, f := range files {
			if !utf8.ValidString(f) || len(f) > 255 {
				t.Errorf("a bad name: %q", f)
			}
		}
	}
}
