package validate

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// cutUp reads text in pieces of n bytes.
func cutUp(text []byte, n int) ([][]string, []fault) {
	var rows [][]string
	var faults []fault
	s := &scanner{}
	drain := func() {
		for {
			r, ok := s.next()
			if !ok {
				return
			}
			fields := make([]string, min(r.count, maxFields))
			for i := range r.fields {
				f := &r.fields[i]
				fields[f.at] = string(r.text(f))
				if f.doubled {
					fields[f.at] = strings.ReplaceAll(fields[f.at], `""`, `"`)
				}
			}
			rows, faults = append(rows, fields), append(faults, r.fault)
		}
	}
	for p := range slices.Chunk(text, n) {
		s.feed(p)
		drain()
	}
	s.eof = true
	drain()
	return rows, faults
}

func TestScannerReadsWhatEncodingCSVReads(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.OneOf(rapid.StringMatching(`[a-z0-9 姓名]{0,12}`), rapid.StringMatching(`[a",\n姓]{0,8}`))
		width := rapid.IntRange(1, 6).Draw(t, "width")
		want := rapid.SliceOfN(rapid.SliceOfN(cell, width, width), 1, 12).Draw(t, "rows")
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		for _, r := range want {
			r[0] = "k" + r[0] // encoding/csv skips blank lines, we must not
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		ref := csv.NewReader(bytes.NewReader(b.Bytes()))
		read, err := ref.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		got, _ := cutUp(b.Bytes(), rapid.IntRange(1, 64).Draw(t, "piece"))
		for _, r := range got { // encoding/csv folds CR LF inside quotes
			for i := range r {
				r[i] = strings.ReplaceAll(r[i], "\r\n", "\n")
			}
		}
		if d := cmp.Diff(read, got); d != "" {
			t.Fatalf("of %q: %s", b.String(), d)
		}
	})
}

func TestScannerGivesTheSameRowsWhateverThePieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.StringMatching(`[a",\r\n\t姓]{0,60}`).Draw(t, "text"))
		whole, _ := cutUp(text, len(text)+1)
		got, _ := cutUp(text, rapid.IntRange(1, 9).Draw(t, "piece"))
		if d := cmp.Diff(whole, got); d != "" {
			t.Fatalf("of %q: %s", text, d)
		}
	})
}

func TestScannerToleratesWhatTheFieldWrites(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want [][]string
	}{
		"stray quotes inside unquoted text": {"a 5\" b,c\n", [][]string{{"a 5\" b", "c"}}},
		"a TAB before quoted values":        {"\t\"a,b\",\tc\n", [][]string{{"a,b", "\tc"}}},
		"CR LF and LF mixed":                {"a,b\r\nc,d\n", [][]string{{"a", "b"}, {"c", "d"}}},
		"no final newline":                  {"a,b\nc,d", [][]string{{"a", "b"}, {"c", "d"}}},
		"a quoted line break":               {"a,\"b\r\nb\"\r\nc,d\r\n", [][]string{{"a", "b\r\nb"}, {"c", "d"}}},
		"blank lines are rows":              {"a\n\nb\n", [][]string{{"a"}, {""}, {"b"}}},
		"a quote within a quoted value":     {"\"a\"b\",c\n", [][]string{{"a\"b", "c"}}},
		"a carriage return inside":          {"a\rb,c\n", [][]string{{"a\rb", "c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= len(tc.text); n++ {
				got, faults := cutUp([]byte(tc.text), n)
				if d := cmp.Diff(tc.want, got); d != "" {
					t.Fatalf("pieces of %d: %s", n, d)
				}
				if slices.ContainsFunc(faults, func(f fault) bool { return f != faultNone }) {
					t.Fatalf("pieces of %d: faults %v", n, faults)
				}
			}
		})
	}
}

func TestScannerReadsOnAfterAnUnclosedQuote(t *testing.T) {
	t.Parallel()
	got, faults := cutUp([]byte("a,b\n\"c,d\ne,f\n"), 3)
	if d := cmp.Diff([][]string{{"a", "b"}, {"\"c", "d"}, {"e", "f"}}, got); d != "" {
		t.Error(d)
	}
	if !slices.Equal(faults, []fault{faultNone, faultQuote, faultNone}) {
		t.Errorf("faults %v", faults)
	}
}

func TestScannerReadsOnInTheLineAfterAnUnclosedQuote(t *testing.T) {
	t.Parallel()
	got, faults := cutUp([]byte("\"x\ny\"q,e,f\nz,g\",w,\"open\n"), 100)
	if d := cmp.Diff([][]string{{"\"x"}, {"y\"q", "e", "f"}, {"z", "g\"", "w", "\"open"}}, got); d != "" {
		t.Error(d)
	}
	if !slices.Equal(faults, []fault{faultQuote, faultNone, faultQuote}) {
		t.Errorf("faults %v", faults)
	}
}

func TestScannerCutsAtEveryComma(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.OneOf(rapid.StringMatching(`[,-]{0,40}`), rapid.StringMatching(`([a-z,姓]{0,12},{0,20}){0,5}`)).Draw(t, "line")
		quoted := rapid.StringMatching(`([a-z]{0,9},{0,9}){0,3}`).Draw(t, "behind a quoted field")
		want := [][]string{strings.Split(line, ","), append([]string{"a,b"}, strings.Split(quoted, ",")...)}
		text := line + "\n\"a,b\"," + quoted
		got, _ := cutUp([]byte(text), rapid.IntRange(1, 64).Draw(t, "piece"))
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("of %q: %s", text, d)
		}
	})
}

func TestScannerCountsFieldsItDoesNotKeep(t *testing.T) {
	t.Parallel()
	s := &scanner{eof: true}
	s.feed([]byte(strings.Repeat(",x", 2*maxFields) + ",\n"))
	r, ok := s.next()
	if !ok || r.count != 2*maxFields+2 || len(r.fields) != maxFields-1 {
		t.Fatalf("row %v, %d fields, %d kept", ok, r.count, len(r.fields))
	}
	if string(r.field(0)) != "" || string(r.field(1)) != "x" || string(r.field(maxFields-1)) != "x" || r.field(maxFields) != nil {
		t.Error("the fields are not where they were")
	}
}

// endless gives n bytes of the pattern, over and over.
type endless struct {
	pattern string
	left    int
	at      int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && e.left > 0 {
		k := copy(p[n:min(len(p), n+e.left)], e.pattern[e.at:])
		n, e.left, e.at = n+k, e.left-k, (e.at+k)%len(e.pattern)
	}
	return n, nil
}

func TestScannerStaysSmallAndLinearOnHostileInput(t *testing.T) {
	t.Parallel()
	for name, pattern := range map[string]string{
		"one line":          "a",
		"one quoted line":   "a\x01",
		"open quotes":       "\"x\n",
		"open quotes later": "x,\"y\n",
		"doubled quotes":    "\"\"",
		"commas":            ",",
		"rows of commas":    strings.Repeat(",", 3*maxFields) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, in, piece := &scanner{}, &endless{pattern: pattern, left: 24 << 20}, make([]byte, 64<<10)
			for {
				n, err := in.Read(piece)
				s.feed(piece[:n])
				s.eof = errors.Is(err, io.EOF)
				for _, ok := s.next(); ok; _, ok = s.next() {
				}
				if s.eof {
					break
				}
			}
			if c := cap(s.buf); c > 4*maxRow {
				t.Errorf("the buffer grew to %d bytes", c)
			}
			if len(s.fields) > maxFields || cap(s.fields) > 2*maxFields || cap(s.cur.fields) > 2*maxFields {
				t.Errorf("%d fields kept", cap(s.fields))
			}
		})
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("a,b\n\"c\"\"d\",e\r\n"), 3)
	f.Add([]byte("\"\n\"\"\n\"a"), 1)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		if n < 1 || n > 100 {
			n = 7
		}
		whole, _ := cutUp(text, len(text)+1)
		got, _ := cutUp(text, n)
		if d := cmp.Diff(whole, got); d != "" {
			t.Fatal(d)
		}
	})
}
