package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
)

// WriteText writes a report to be read: a line per finding, what to do about
// each rule, and the count of what was not kept.
func WriteText(w io.Writer, lang phrase.Lang, file string, r validate.Report) error {
	b := bufio.NewWriter(w)
	say := func(id string, pairs ...string) string { return phrase.Text(lang, "report."+id, params(pairs)) }
	standard := r.Standard
	if standard == "" {
		standard = "–"
	}
	fmt.Fprintln(b, say("file", "file", plain(file), "kind", string(r.Kind), "standard", standard, "charset", r.Charset))
	fmt.Fprintln(b, say("rows", "rows", count(r.Rows), "wrong", count(r.RowsInError)))
	fmt.Fprintln(b, say("tally", "fatal", count(r.Tally.Fatal), "error", count(r.Tally.Error), "warning", count(r.Tally.Warning)))
	for _, f := range r.Findings {
		fmt.Fprintf(b, "%s\n", Line(lang, f))
	}
	if rest := total(r.Tally) - int64(len(r.Findings)); rest > 0 {
		fmt.Fprintln(b, say("rest", "n", count(rest)))
	}
	if len(r.Counts) > 0 {
		fmt.Fprintf(b, "\n%s\n", say("summary"))
	}
	for _, c := range r.Counts {
		line := fmt.Sprintf("%6d × %s %s %s", c.N, severity(lang, c.Severity), c.Rule, c.Column)
		if fix := Remedy(lang, c.Rule); fix != "" {
			line += " → " + fix
		}
		fmt.Fprintln(b, line)
	}
	return b.Flush()
}

// Line is one finding on one line: place, severity, rule, text, shape.
func Line(lang phrase.Lang, f upload.Finding) string {
	where := phrase.Text(lang, "report.whole", nil)
	if f.Row > 0 {
		where = phrase.Text(lang, "report.row", params([]string{"row", count(f.Row)}))
	}
	if f.Column != "" {
		where += " " + plain(f.Column)
	}
	line := fmt.Sprintf("%s: %s %s: %s", where, severity(lang, f.Severity), f.Rule, Text(lang, f))
	if shape := f.Params["shape"]; shape != "" {
		line += " " + phrase.Text(lang, "report.shape", map[string]string{"shape": shape})
	}
	return line
}

func severity(lang phrase.Lang, s upload.Severity) string {
	return phrase.Text(lang, "severity."+string(s), nil)
}

func total(t upload.Tally) int64 { return t.Fatal + t.Error + t.Warning }

func count(n int64) string { return fmt.Sprint(n) }

func params(pairs []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// plain keeps control characters off a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) || r == 0x2028 || r == 0x202e {
			return '·'
		}
		return r
	}, s)
}
