package standard

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func load(t testing.TB, files map[string]string) (*Library, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Load(fsys)
}

func mustLoad(t testing.TB, files map[string]string) *Library {
	t.Helper()
	lib, err := load(t, files)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// layout finds one by channel, standard and kind.
func layout(t testing.TB, lib *Library, std string, kind upload.Kind) *Layout {
	t.Helper()
	for _, l := range lib.Layouts("", kind) {
		if l.Standard == std {
			return l
		}
	}
	t.Fatalf("no layout %s %s", std, kind)
	return nil
}

func TestEmbeddedStandardsHaveTheCountsOfTheOfficialOnes(t *testing.T) {
	t.Parallel()
	lib := mustLoad(t, nil)
	want := map[string]int{
		"flu-2.6 flu": 61, "flu-2.6 hqms": 346, "flu-2.6 hda": 15, "flu-2.6 hdr": 15, "flu-2.6 pdr": 11, "flu-2.6 lis": 9,
		"hqms-2019 hqms": 642, "hqms-2020 hqms": 811,
	}
	got := map[string]int{}
	for _, l := range lib.Layouts("", "") {
		got[l.Standard+" "+string(l.Kind)] = len(l.Columns)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s, _ := lib.Standard("flu-2.6"); len(s.Dictionaries) != 34 {
		t.Errorf("%d dictionaries", len(s.Dictionaries))
	}
}

func TestDocumentCountsColumnsAndRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "standards.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range mustLoad(t, nil).Layouts("", "") {
		required, dicts, ids := 0, 0, map[string]bool{}
		for _, c := range l.Columns {
			if c.Need == Required {
				required++
			}
			if c.Dictionary != nil {
				dicts++
			}
		}
		for _, r := range l.Rules {
			ids[r.ID] = true
		}
		row := fmt.Sprintf("| `%s` | `%s` | %d | %d | %d | %d |", l.Standard, l.Kind, len(l.Columns), required, dicts, len(ids))
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/standards.md lacks the row %s", row)
		}
	}
}

func TestFileNamesTellTheKind(t *testing.T) {
	t.Parallel()
	lib := mustLoad(t, nil)
	for _, tc := range []struct {
		channel upload.Channel
		name    string
		want    upload.Kind
	}{
		{upload.Flu, "flu_20240101.csv", "flu"},
		{upload.Flu, "FLU_1.CSV", "flu"},
		{upload.Flu, "hqms_1.csv", "hqms"},
		{upload.Flu, "hda_1.csv", "hda"},
		{upload.Flu, "hdr_1.csv", "hdr"},
		{upload.Flu, "pdr_1.csv", "pdr"},
		{upload.Flu, "lis_1.csv", "lis"},
		{upload.HQMS, "hqms_1.csv", "hqms"},
		{upload.HQMS, "HqmsTs_1.csv", "hqms"},
		{upload.Flu, "hqmsts_1.csv", ""},
		{upload.HQMS, "flu_1.csv", ""},
		{upload.Flu, "flu_1.csv.gz", ""},
		{upload.Flu, "flu.csv", ""},
		{upload.Flu, "xflu_1.csv", ""},
		{"other", "flu_1.csv", ""},
	} {
		got, ok := lib.Kind(tc.channel, tc.name)
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s on %s: %q, %v", tc.name, tc.channel, got, ok)
		}
	}
	if got := lib.Kinds(upload.Flu); !slices.Equal(got, []upload.Kind{"flu", "hda", "hdr", "hqms", "lis", "pdr"}) {
		t.Errorf("kinds of flu: %v", got)
	}
}

func TestTheHeaderTellsTheLayout(t *testing.T) {
	t.Parallel()
	lib := mustLoad(t, nil)
	for _, l := range lib.Layouts(upload.HQMS, "hqms") {
		var all, required []string
		for _, c := range l.Columns {
			all = append(all, strings.ToLower(c.Code))
			if c.Need == Required {
				required = append(required, c.Code)
			}
		}
		for _, header := range [][]string{all, required} {
			if got := lib.Choose(upload.HQMS, "hqms", header); got != l {
				t.Errorf("a header of %d columns of %s was taken for %s", len(header), l.Standard, got.Standard)
			}
		}
	}
	if got := lib.Choose(upload.HQMS, "hqms", []string{"a", "b"}); got != nil {
		t.Errorf("nonsense was taken for %s", got.Standard)
	}
}

const measles = `# A family of files that did not exist before.
format,1
kind,mea
title,麻疹病例,Measles cases
channel,flu
prefix,mea_
column,M1,就诊卡号,C,50,Y,,key personal
column,M2,性别,C,1,Y,RC001
column,M3,接种日期,D,,,,
column,M4,发病日期,D,,Y,,
column,M5,针次,N,2,C,DOSES,
require,MEA-M5-REQUIRED,warning,M5,M3 filled
order,MEA-M4-ORDER,error,M3 <= M4 <= now
text,MEA-M4-ORDER,发病早于接种,The disease began before the vaccination
dictionary,DOSES,针次
code,1,第一针
code,2,第二针
`

func TestAMountedFamilyIsTakenLikeAnother(t *testing.T) {
	t.Parallel()
	lib := mustLoad(t, map[string]string{
		"measles-1/mea.csv":      measles,
		"measles-1/standard.csv": "format,1\nstandard,measles-1\ntitle,麻疹,Measles\nbase,flu-2.6\n",
	})
	if k, ok := lib.Kind(upload.Flu, "MEA_1.csv"); !ok || k != "mea" {
		t.Errorf("kind %q", k)
	}
	l := layout(t, lib, "measles-1", "mea")
	if len(l.Columns) != 5 || len(l.Rules) != 2 || l.Columns[1].Dictionary.Title == "" || l.Texts["MEA-M4-ORDER"][1] == "" {
		t.Errorf("%+v", l)
	}
}

func TestAMountedFileChangesSingleRecords(t *testing.T) {
	t.Parallel()
	lib := mustLoad(t, map[string]string{"flu-2.6/lis.csv": `format,1
kind,lis
column,P8003,检验结果描述,C,50,Y,,
column,X1,院内条码,C,20,,,
drop,LIS-FLU-LINK
severity,COL-DATE-ONLY,error
require,LIS-P8005-REQUIRED,warning,P8005,P8004 in 1 9
dictionary,RC016,判断代码表,extend
code,9,不详
dictionary,icd10-national,本院诊断编码
code,J10.100,流感
`})
	l := layout(t, lib, "flu-2.6", "lis")
	if len(l.Columns) != 10 {
		t.Errorf("%d columns", len(l.Columns))
	}
	at, _ := l.Column("p8003")
	if l.Columns[at].Length != 50 {
		t.Error("P8003 was not changed in its place")
	}
	ids := map[string]upload.Severity{}
	for _, r := range l.Rules {
		ids[r.ID] = r.Severity
	}
	if d := cmp.Diff(map[string]upload.Severity{"LIS-P8000-UNIQUE": upload.Error, "LIS-P8005-REQUIRED": upload.Warning}, ids); d != "" {
		t.Error(d)
	}
	at, _ = l.Column("P8004")
	if d := l.Columns[at].Dictionary; !d.Has([]byte("9")) || !d.Has([]byte("1")) {
		t.Error("RC016 was not extended")
	}
	if l.List("icd10-national") == nil || l.Severities["COL-DATE-ONLY"] != upload.Error {
		t.Error("the code list or the severity is not there")
	}
	if layout(t, lib, "flu-2.6", "flu").Severities["COL-DATE-ONLY"] != "" {
		t.Error("the severity holds for another kind too")
	}
}

func TestReplaceForgetsTheEmbeddedKind(t *testing.T) {
	t.Parallel()
	lib := mustLoad(t, map[string]string{"flu-2.6/lis.csv": "format,1\nkind,lis\nreplace\nchannel,flu\nprefix,lis_\ncolumn,A,甲,C,5,Y,,\n"})
	if l := layout(t, lib, "flu-2.6", "lis"); len(l.Columns) != 1 || len(l.Rules) != 0 {
		t.Errorf("%d columns, %d rules", len(l.Columns), len(l.Rules))
	}
}

func TestABrokenFileIsRefusedWithFileLineAndReason(t *testing.T) {
	t.Parallel()
	const head = "format,1\nkind,x\nchannel,flu\nprefix,x_\ncolumn,A,甲,C,5,Y,,\ncolumn,N,数,N,5,Y,,\ncolumn,T,时,DT,,,,\n"
	for name, tc := range map[string]struct{ text, want string }{
		"an empty file":               {"# nothing\n", "not a standard file: empty"},
		"no version":                  {"kind,x\n", "s/x.csv:1: the first record must be format,1"},
		"another version":             {"format,2\n", `format "2" is not known`},
		"an unknown record":           {head + "colum,B\n", `s/x.csv:8: unknown record "colum"`},
		"a record before its kind":    {"format,1\ncolumn,A,甲,C,5,Y,,\n", "column must come after kind"},
		"a code before a dictionary":  {"format,1\ncode,1,x\n", "code must come after dictionary"},
		"an unknown type":             {head + "column,B,乙,Q,5,Y,,\n", `:8: column B: unknown type "Q"`},
		"a length of letters":         {head + "column,B,乙,C,five,Y,,\n", `length "five"`},
		"decimals of a text":          {head + "column,B,乙,C,\"5,2\",Y,,\n", "numbers only"},
		"an unknown need":             {head + "column,B,乙,C,5,J,,\n", "required is Y, C or empty"},
		"an unknown mark":             {head + "column,B,乙,C,5,Y,,secret\n", `unknown mark "secret"`},
		"an unknown dictionary":       {head + "column,B,乙,C,5,Y,NONE,\n", `column B: dictionary "NONE" is not defined`},
		"a rule on an unknown column": {head + "require,R-1,error,B,A = 1\n", `:8: require R-1: no column "B"`},
		"a pattern that fits none":    {head + "require,R-1,error,Z*,A = 1\n", `no column fits "Z*"`},
		"a condition without sense":   {head + "require,R-1,error,N,A is 1\n", "is no condition"},
		"a condition without value":   {head + "require,R-1,error,N,A in\n", `"in" needs values`},
		"a comparison without number": {head + "require,R-1,error,N,A < x\n", `"x" is no number`},
		"an unknown severity":         {head + "unique,R-1,bad,A\n", `severity "bad"`},
		"a rule without id":           {head + "unique,,error,A\n", "a rule's id"},
		"an order of one":             {head + "order,R-1,error,T\n", "one or two <="},
		"an order of odd days":        {head + "order,R-1,error,T-xd <= T\n", "days are written like -1d"},
		"a comparison of nothing":     {head + "compare,R-1,error,N\n", "compares nothing"},
		"days of two":                 {head + "days,R-1,error,N T\n", "the first and the last day"},
		"a link to nowhere":           {head + "link,R-1,warning,A,\n", "which kind?"},
		"nothing to drop":             {head + "drop,B\n", "nothing to drop"},
		"another folder":              {"format,1\nstandard,other\n", `standard "other" lies in folder "s"`},
		"an unknown base":             {head + "base,none\n", `base "none"`},
		"no columns":                  {"format,1\nkind,x\n", "needs at least one channel"},
		"a quote left open":           {head + "column,\"B\n", "s/x.csv"},
		"a dictionary to extend":      {"format,1\ndictionary,D,x,extend\n", "cannot be extended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, map[string]string{"s/x.csv": tc.text})
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "mounted") && !strings.Contains(err.Error(), "s") {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAFolderThatIsNotThereOrHoldsLooseFilesIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := Load(os.DirFS(filepath.Join(t.TempDir(), "none"))); err == nil {
		t.Error("a missing folder was taken for an empty one")
	}
	if _, err := load(t, map[string]string{"mea.csv": measles}); err == nil || !strings.Contains(err.Error(), "mea.csv must lie in a folder") {
		t.Errorf("error %v", err)
	}
}

func TestBasesInARingEnd(t *testing.T) {
	t.Parallel()
	_, err := load(t, map[string]string{
		"a/standard.csv": "format,1\nbase,b\n", "b/standard.csv": "format,1\nbase,a\n",
		"a/x.csv": "format,1\nkind,x\nchannel,flu\nprefix,x_\ncolumn,A,甲,C,5,Y,NONE,\n",
	})
	if err == nil || !strings.Contains(err.Error(), "NONE") {
		t.Errorf("error %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(measles)
	f.Add("format,1\nkind,x\nchannel,flu\nprefix,x_\ncolumn,A,甲,N,\"5,2\",Y,,min:1\ncompare,R,error,A >= A+1\nlink,L,warning,A,flu\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLoader()
		if l.readAll(fstest.MapFS{"s/z.csv": &fstest.MapFile{Data: []byte(text)}}) != nil {
			return
		}
		lib, err := l.library()
		if err != nil {
			return
		}
		for _, y := range lib.layouts {
			for _, c := range y.Columns {
				if i, ok := y.Column(c.Code); !ok || !strings.EqualFold(y.Columns[i].Code, c.Code) {
					t.Errorf("column %q is not found", c.Code)
				}
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(nil); err != nil {
			b.Fatal(err)
		}
	}
}
