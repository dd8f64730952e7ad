package validate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func library(t testing.TB) *standard.Library {
	t.Helper()
	lib, err := standard.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

var noon = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)

func run(t testing.TB, kind upload.Kind, text string, n int) Report {
	t.Helper()
	c := NewChecker(library(t), upload.Flu, kind, Options{Now: noon})
	for p := []byte(text); len(p) > 0; p = p[min(n, len(p)):] {
		if _, err := c.Write(p[:min(n, len(p))]); err != nil {
			t.Fatal(err)
		}
	}
	return c.Close()
}

// lines writes findings as "row column rule".
func lines(r Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%d %s %s\n", f.Row, f.Column, f.Rule)
	}
	return b.String()
}

const (
	lisHeader = "P7501,P7502,P7506,P8000,P8001,P8002,P8003,P8004,P8005\n"
	lisRow    = "03,A100,2024-05-01 08:00:00,S%d,1,2024-05-01 09:00:00,甲型流感病毒抗原阳性,1,1\n"
)

func lis(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, lisRow, i+1)
	}
	return b.String()
}

// failing is what a helper needs of a test or a property.
type failing interface {
	Helper()
	Fatal(args ...any)
}

func gb(t failing, s string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCheckerAcceptsWhatTheFieldWrites(t *testing.T) {
	t.Parallel()
	good := lisHeader + lis(2)
	for name, text := range map[string]string{
		"UTF-8":                          good,
		"UTF-8 with a byte order mark":   "\ufeff" + good,
		"GB18030":                        gb(t, good),
		"GB18030 with a byte order mark": gb(t, "\ufeff"+good),
		"CR LF":                          strings.ReplaceAll(good, "\n", "\r\n"),
		"no final newline":               strings.TrimSuffix(good, "\n"),
		"lower-case header":              strings.ToLower(lisHeader) + lis(2),
		"a TAB before every value":       "\t" + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(good), ",", ",\t"), "\n", "\n\t"),
		"an empty field at the end":      lisHeader + strings.ReplaceAll(lis(2), "\n", ",\n"),
		"the same in the header":         strings.ReplaceAll(good, "\n", ",\n"),
		"an index column":                "," + lisHeader + "0," + strings.Replace(lis(2), "\n03", "\n1,03", 1),
		"blank lines":                    lisHeader + "\n" + strings.ReplaceAll(lis(2), "\n", "\n\r\n"),
		"ideographic spaces":             gb(t, strings.ReplaceAll(good, "甲型流感病毒抗原阳性", "　甲型　")),
		"no-break spaces":                strings.ReplaceAll(good, "A100", "\u00a0A100\u00a0"),
		"other column order":             reorder(good),
		"stray quotes":                   strings.ReplaceAll(good, "抗原阳性", `抗"原"阳性`),
		"a quoted line break":            strings.ReplaceAll(good, "甲型流感病毒抗原阳性", "\"甲型\n流感,\"\"病毒\"\"\""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{1, 7, 1 << 20} {
				r := run(t, "lis", text, n)
				if got := lines(r); got != "" || r.Rows != 2 || r.RowsInError != 0 || r.Standard != "flu-2.6" {
					t.Fatalf("pieces of %d: %d rows, %d wrong, standard %q, findings:\n%s", n, r.Rows, r.RowsInError, r.Standard, got)
				}
			}
		})
	}
}

// reorder puts the first column last.
func reorder(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		first, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ",")
		fmt.Fprintf(&b, "%s,%s\n", rest, first)
	}
	return b.String()
}

func TestCheckerTellsTheCharset(t *testing.T) {
	t.Parallel()
	good := lisHeader + lis(3)
	for name, tc := range map[string]struct{ text, want string }{
		"ASCII counts as UTF-8": {lisHeader, CharsetUTF8},
		"UTF-8":                 {good, CharsetUTF8},
		"GB18030":               {gb(t, good), CharsetGB18030},
		"GB18030 that begins like UTF-8": {
			lisHeader + strings.ReplaceAll(lis(1), "甲型流感病毒抗原阳性", "\xc4\xaa") +
				strings.Repeat(strings.ReplaceAll(lis(1), "甲型流感病毒抗原阳性", "x"), 2000) + gb(t, lis(2)), CharsetGB18030,
		},
		"UTF-8 with one damaged character": {strings.ReplaceAll(lisHeader+lis(20)+strings.Replace(lis(1), "阳", "\xe9", 1), "性", "感"), CharsetUTF8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := run(t, "lis", tc.text, 1000); r.Charset != tc.want {
				t.Errorf("charset %q, want %q", r.Charset, tc.want)
			}
		})
	}
}

func TestCheckerRefuses(t *testing.T) {
	t.Parallel()
	good := lisHeader + lis(2)
	for name, tc := range map[string]struct{ text, want string }{
		"nothing at all":          {"", "0  FILE-EMPTY\n"},
		"a byte order mark alone": {"\ufeff", "0  FILE-EMPTY\n"},
		"blank lines alone":       {"\n\n\n", "1  FILE-EMPTY\n"},
		"no columns":              {",,,\n", "1  FILE-EMPTY\n"},
		"a header alone":          {lisHeader, "0  FILE-NO-ROWS\n"},
		"another file's header":   {"a,b,c\n1,2,3\n", "1  HDR-UNKNOWN\n"},
		"data with a code in it":  {"Z1000001,P7501,2024-03-02,张三,x,y,z,w,v\n", "1  HDR-UNKNOWN\n"},
		"hardly a header": {"P7501,P7502,P7506,ZHANG3,A1,B2,C3,D4\n", "1 #4 HDR-EXTRA\n1 #5 HDR-EXTRA\n1 #6 HDR-EXTRA\n1 #7 HDR-EXTRA\n1 #8 HDR-EXTRA\n" +
			"1 P8000 HDR-MISSING\n1 P8001 HDR-MISSING\n1 P8002 HDR-MISSING\n1 P8003 HDR-MISSING\n1 P8004 HDR-MISSING\n0  FILE-NO-ROWS\n"},
		"names that are no codes":  {"P7501,P7502,P7506,P8000,P8001,P8002,P8003,P8004,P8005,Zhang San,13800138000\n", "1 #10 HDR-EXTRA\n1 #11 HDR-EXTRA\n0  FILE-NO-ROWS\n"},
		"data instead of a header": {lis(2), "1  HDR-UNKNOWN\n"},
		"a spreadsheet":            {"PK\x03\x04\x00\x00", "0  FILE-BINARY\n"},
		"UTF-16":                   {"\xff\xfeP\x007\x00", "0  FILE-BINARY\n"},
		"NUL bytes":                {strings.Replace(good, "A100", "A1\x0000", 1), "2  FILE-NUL\n"},
		"a missing column":         {strings.ReplaceAll(strings.ReplaceAll(good, ",P8001", ""), ",1,2024", ",2024"), "1 P8001 HDR-MISSING\n"},
		"a repeated column":        {strings.ReplaceAll(strings.Replace(good, "P8000,", "P8000,P8000,", 1), ",S", ",S,S"), "1 P8000 HDR-REPEATED\n3 P8000 LIS-P8000-UNIQUE\n"},
		"an unknown column":        {strings.ReplaceAll(strings.Replace(good, "P8000,", "P8000,XYZ,", 1), ",1,2024", ",x,1,2024"), "1 XYZ HDR-EXTRA\n"},
		"too few fields":           {good + "03,A100\n" + lis(0) + strings.Replace(lis(1), "S1", "S9", 1), "4  ROW-FIELDS\n"},
		"a truncated last row":     {good + "03,A1", "4  FILE-TRUNCATED\n"},
		"the header again":         {good + lisHeader + strings.Replace(lis(1), "S1", "S3", 1), "4  ROW-HEADER\n"},
		"glued without a newline":  {strings.TrimSuffix(good, "\n") + lisHeader + strings.Replace(lis(1), "S1", "S3", 1), "3  ROW-HEADER\n"},
		"an unclosed quote":        {good + strings.Replace(strings.Replace(lis(2), "S1", "S3", 1), "甲", "\"甲", 1), "4  ROW-QUOTE\n5 P8000 LIS-P8000-UNIQUE\n5  ROW-DUPLICATE\n"},
		"an empty row":             {good + ",,,,,,,,\n", "4  ROW-EMPTY\n"},
		"a bad sequence":           {strings.Replace(good+lis(9)[0:0], "流", "\xff", 1), "2 P8003 ENC-BAD\n"},
		"the same row twice":       {good + lis(1), "4 P8000 LIS-P8000-UNIQUE\n4  ROW-DUPLICATE\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{1, 1 << 20} {
				if got := lines(run(t, "lis", tc.text, n)); got != tc.want {
					t.Fatalf("pieces of %d: got\n%swant\n%s", n, got, tc.want)
				}
			}
		})
	}
}

func TestCheckerStaysSmallOnHostileFiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want string
	}{
		"a line of 20 MB":   {strings.Repeat("a", 20<<20), "HDR-TOO-MANY"},
		"100,000 columns":   {strings.Repeat("P7501,", 100_000) + "\n", "HDR-TOO-MANY"},
		"a long row":        {lisHeader + strings.Repeat("x", 3<<20) + "\n" + lis(1), "ROW-TOO-LONG"},
		"a row of commas":   {lisHeader + strings.Repeat(",", 100_000) + "\n" + lis(1), "ROW-FIELDS"},
		"a quote for ever":  {lisHeader + "\"" + strings.Repeat("x\n", 2<<20), "ROW-QUOTE"},
		"random-like bytes": {strings.Repeat("\x81\xfe\x01\n,\"\xff", 1<<18), "HDR-UNKNOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, "lis", tc.text, 64<<10)
			if !strings.Contains(lines(r), tc.want) {
				t.Errorf("no %s among %d findings", tc.want, len(r.Findings))
			}
			if len(r.Findings) > 1000 {
				t.Errorf("%d findings kept", len(r.Findings))
			}
		})
	}
}

func FuzzChecker(f *testing.F) {
	f.Add([]byte(lisHeader+lis(2)), 7)
	f.Add([]byte(gb(f, lisHeader+lis(1))), 1)
	f.Add([]byte("\ufeff,P7501,\"\n"), 2)
	lib := library(f)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		if n < 1 || n > 1000 {
			n = 64
		}
		c := NewChecker(lib, upload.Flu, "lis", Options{Now: noon})
		for p := text; len(p) > 0; p = p[min(n, len(p)):] {
			if _, err := c.Write(p[:min(n, len(p))]); err != nil {
				t.Fatal(err)
			}
		}
		r := c.Close()
		if r.Bytes != int64(len(text)) || r.RowsInError > r.Rows || r.Rows > int64(bytes.Count(text, []byte("\n")))+1 {
			t.Fatalf("%+v", r)
		}
	})
}

func TestSeveritiesAreTheOperatorsToSet(t *testing.T) {
	t.Parallel()
	text := lisHeader + strings.Replace(lis(1), ",1,1\n", ",1,\n", 1)
	for name, tc := range map[string]struct {
		severities map[string]upload.Severity
		want       upload.Tally
		wrong      int64
	}{
		"by default":         {nil, upload.Tally{Error: 1}, 1},
		"a warning":          {map[string]upload.Severity{"LIS-P8005-REQUIRED": upload.Warning}, upload.Tally{Warning: 1}, 0},
		"off":                {map[string]upload.Severity{"LIS-P8005-REQUIRED": standard.Off}, upload.Tally{}, 0},
		"a rule not there":   {map[string]upload.Severity{"NO-SUCH": upload.Fatal}, upload.Tally{Error: 1}, 1},
		"a general rule off": {map[string]upload.Severity{"LIS-P8005-REQUIRED": upload.Fatal, "COL-DICT": standard.Off}, upload.Tally{Fatal: 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := NewChecker(library(t), upload.Flu, "lis", Options{Severities: tc.severities})
			_, _ = c.Write([]byte(text))
			if r := c.Close(); r.Tally != tc.want || r.RowsInError != tc.wrong {
				t.Errorf("tally %+v, %d rows in error", r.Tally, r.RowsInError)
			}
		})
	}
}

func TestFindingsBeyondTheFirstAreCounted(t *testing.T) {
	t.Parallel()
	text := lisHeader + strings.ReplaceAll(lis(50), ",1,1\n", ",9,\n")
	c := NewChecker(library(t), upload.Flu, "lis", Options{MaxFindings: 10})
	_, _ = c.Write([]byte(text))
	r := c.Close()
	want := []RuleCount{{Rule: "COL-DICT", Column: "P8004", Severity: upload.Error, N: 50}}
	if d := cmp.Diff(want, r.Counts); d != "" || len(r.Findings) != 10 || r.Tally.Error != 50 || r.RowsInError != 50 {
		t.Errorf("%d findings, tally %+v, %s", len(r.Findings), r.Tally, d)
	}
}

func TestRareCharactersOfGB18030AreRightAndCountAsOne(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text       string
		chars, bad int
	}{
		"two bytes":                          {"\xb0\xa1\xfe\xfe", 2, 0},
		"two bytes of the user-defined zone": {"\xa6\xd9\xaa\xa1\xfe\x59", 3, 0},
		"four bytes":                         {"\x81\x30\x81\x30\x95\x32\x82\x36", 2, 0},
		"four bytes beyond Unicode":          {"\xfe\x39\xfe\x39", 4, 2},
		"a lead byte before a comma's place": {"\xb0", 1, 1},
		"a trail byte that cannot be":        {"\xb0\x20", 2, 1},
		"a byte that leads nothing":          {"\x80\xff", 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if chars, bad := countGB18030([]byte(tc.text)); chars != tc.chars || bad != tc.bad {
				t.Errorf("%d characters, %d bad", chars, bad)
			}
		})
	}
}

func TestBatchMissesNothingItCannotKnow(t *testing.T) {
	t.Parallel()
	check := func(b *Batch, kind upload.Kind, text string) {
		c := NewChecker(library(t), upload.Flu, kind, Options{Links: b.File(string(kind), kind)})
		_, _ = c.Write([]byte(text))
		c.Close()
	}
	alone := NewBatch(0)
	check(alone, "lis", lisHeader+lis(2))
	if got := alone.Missing(); len(got) != 0 {
		t.Errorf("a kind the batch does not have is missed: %v", got)
	}
	full := NewBatch(1)
	full.File("flu", "flu")
	check(full, "lis", lisHeader+lis(2))
	if got := full.Missing(); len(got) != 0 {
		t.Errorf("a batch too large is judged: %v", got)
	}
	both := NewBatch(0)
	both.File("flu", "flu")
	check(both, "lis", lisHeader+lis(2))
	if got := both.Missing()["lis"]; len(got) != 2 || got[1].Row != 3 {
		t.Errorf("missing: %v", got)
	}
}

func TestTheCodingVersionChoosesTheMountedList(t *testing.T) {
	t.Parallel()
	lib, err := standard.Load(fstest.MapFS{"flu-2.6/lists.csv": &fstest.MapFile{Data: []byte(
		"format,1\ndictionary,icd10-national,x\ncode,J10.1,x\ndictionary,icd10-beijing,x\ncode,J11.1,x\n")}})
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"national": "3 P28 COL-CODE-LIST\n", "beijing": "2 P28 COL-CODE-LIST\n", "": ""} {
		c := NewChecker(lib, upload.HQMS, "hqms", Options{Codings: Codings{Diagnosis: version}, Severities: map[string]upload.Severity{
			"HDR-MISSING": standard.Off, "COL-REQUIRED": standard.Off,
		}})
		_, _ = c.Write([]byte("P900,P3,P22,P28\n1,2,2024-01-01 00:00:00,J10.1\n1,3,2024-01-01 00:00:00,J11.1\n"))
		if got := lines(c.Close()); got != want {
			t.Errorf("%q: %s", version, got)
		}
	}
}

func TestNoRowIsRightInAFileThatIsWrongAsAWhole(t *testing.T) {
	t.Parallel()
	r := run(t, "lis", strings.ReplaceAll(strings.ReplaceAll(lisHeader+lis(3), ",P8001", ""), ",1,2024", ",2024"), 100)
	if r.Rows != 3 || r.RowsInError != 3 {
		t.Errorf("%d of %d rows in error", r.RowsInError, r.Rows)
	}
}

func FuzzColumn(f *testing.F) {
	lib := library(f)
	all := lib.Layouts("", "")
	f.Add(0, 8, []byte("2005-03-07"))
	f.Add(6, 16, []byte("\xa3\xb1\"\"1.1E+17"))
	f.Fuzz(func(t *testing.T, which, column int, v []byte) {
		l := all[uint(which)%uint(len(all))]
		code := l.Columns[uint(column)%uint(len(l.Columns))].Code
		c := NewChecker(lib, l.Channels[0], l.Kind, Options{Now: noon, Standard: l.Standard})
		_, _ = c.Write(fmt.Appendf(nil, "%s,P7501\n%s,01\n", code, v))
		for _, found := range c.Close().Findings {
			if len(v) > 4 && len(v) < 200 && strings.Contains(fmt.Sprint(found.Params["shape"]), string(v)) && bytes.ContainsAny(v, "0123456789abc") && !bytes.Contains(v, []byte("9")) {
				t.Errorf("%v shows the value", found)
			}
		}
	})
}

// Every cell of every kind holds a marker that must not get out.
func TestNoFindingHoldsAValue(t *testing.T) {
	t.Parallel()
	lib := library(t)
	for _, l := range lib.Layouts("", "") {
		for _, marker := range []string{"MARKER7", "记号MARKER", "7MARKER", "MARKER-7-8"} {
			var header, row []string
			for _, col := range l.Columns {
				header, row = append(header, col.Code), append(row, marker)
			}
			text := strings.Join(header, ",") + "\n" + strings.Join(row, ",") + "\n" + strings.Join(row[1:], ",") + "\n\"" + strings.Join(row, ",") + "\n"
			for _, whole := range []string{text, strings.Join(row, ",") + "\n" + text, strings.Join(row, ",") + "," + text} {
				c := NewChecker(lib, l.Channels[0], l.Kind, Options{Now: noon, Standard: l.Standard})
				_, _ = c.Write([]byte(whole))
				r := c.Close()
				if len(r.Findings) == 0 || strings.Contains(fmt.Sprint(r), "MARKER") {
					t.Fatalf("%s %s: %d findings: %v", l.Standard, l.Kind, len(r.Findings), r.Findings)
				}
			}
		}
	}
}

func TestNothingLiesInTheFutureWhereNowIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options Options
		want    bool
	}{"known": {Options{Now: noon}, true}, "not known": {Options{}, false}} {
		c := NewChecker(library(t), upload.Flu, "flu", tc.options)
		_, _ = c.Write([]byte("P7502,P7506\nA1,2199-01-01 00:00:00\n"))
		found := slices.ContainsFunc(c.Close().Counts, func(n RuleCount) bool { return n.Rule == "FLU-P7506-FUTURE" })
		if found != tc.want {
			t.Errorf("now %s: %v", name, found)
		}
	}
}
