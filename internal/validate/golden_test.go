package validate

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// A golden case is an input, a line of dashes, and the findings it must raise,
// no more and no less. The input is one operation per line:
//
//	layout flu flu-2.6 lis     channel, standard, kind
//	charset gb18030            else UTF-8
//	header P7501 P7502         else the standard's
//	row P8004=1 P8003="a b"    the base row of the layout with changes
//	raw "…"                    bytes as they are (a Go string); before any row: instead of the header
//	dictionary icd10 A00.0     mounts a code list
//	beside flu                 what follows is another file of the batch, of that kind
//
// {x*41} stands for 41 x. Cases of one rule are in one file, named after it.
type goldenCase struct {
	name     string
	layout   [3]string
	charset  string
	header   []string
	mounted  string
	beside   *goldenCase
	text     strings.Builder
	findings []string
}

var repeated = regexp.MustCompile(`\{(.+?)\*(\d+)\}`)

func expand(s string) string {
	return repeated.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
}

// words splits at blanks outside double quotes.
var words = regexp.MustCompile(`(?:[^\s"]+|"(?:[^"\\]|\\.)*")+`)

func readCases(t *testing.T, file string) []*goldenCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*goldenCase
	for part := range strings.SplitSeq(string(text), "=====\n") {
		c := &goldenCase{}
		input, findings, ok := strings.Cut(part, "-----\n")
		if !ok {
			t.Fatalf("%s: a case without a line of dashes", file)
		}
		for line := range strings.Lines(input) {
			c.operation(t, file, strings.TrimSuffix(line, "\n"))
		}
		for line := range strings.Lines(findings) {
			c.findings = append(c.findings, strings.TrimSpace(line))
		}
		all = append(all, c)
	}
	return all
}

func (c *goldenCase) operation(t *testing.T, file, line string) {
	t.Helper()
	if c.beside != nil {
		c.beside.operation(t, file, line)
		return
	}
	op, rest, _ := strings.Cut(line, " ")
	fields := words.FindAllString(rest, -1)
	switch op {
	case "#", "":
		c.name = strings.TrimSpace(c.name + " " + rest)
	case "layout":
		c.layout = [3]string(fields)
	case "charset":
		c.charset = rest
	case "beside":
		c.beside = &goldenCase{layout: [3]string{c.layout[0], c.layout[1], rest}}
	case "header":
		c.header = fields
	case "dictionary":
		c.mounted = fmt.Sprintf("format,1\ndictionary,%s,mounted\ncode,%s,x\n", fields[0], strings.Join(fields[1:], ",x\ncode,"))
	case "raw":
		s, err := strconv.Unquote(rest)
		if err != nil {
			t.Fatalf("%s: %s: %v", file, line, err)
		}
		c.text.WriteString(expand(s))
	case "row":
		if c.text.Len() == 0 {
			c.text.WriteString(strings.Join(c.columns(t), ",") + "\n")
		}
		c.row(t, fields)
	default:
		t.Fatalf("%s: unknown operation %q", file, line)
	}
}

func (c *goldenCase) columns(t *testing.T) []string {
	if c.header != nil {
		return c.header
	}
	for _, l := range library(t).Layouts(upload.Channel(c.layout[0]), upload.Kind(c.layout[2])) {
		if l.Standard == c.layout[1] {
			for _, col := range l.Columns {
				c.header = append(c.header, col.Code)
			}
		}
	}
	return c.header
}

func (c *goldenCase) row(t *testing.T, changes []string) {
	t.Helper()
	base, err := os.ReadFile(filepath.Join("testdata", "base", c.layout[1]+"-"+c.layout[2]+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(base)) {
		if code, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			values[code] = v
		}
	}
	for _, change := range changes {
		code, v, _ := strings.Cut(change, "=")
		if strings.HasPrefix(v, `"`) {
			if v, err = strconv.Unquote(v); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Contains(c.columns(t), code) {
			t.Fatalf("no column %s", code)
		}
		values[code] = expand(v)
	}
	for i, code := range c.columns(t) {
		if i > 0 {
			c.text.WriteByte(',')
		}
		if v := values[code]; strings.ContainsAny(v, ",\"\n") {
			c.text.WriteString(`"` + strings.ReplaceAll(v, `"`, `""`) + `"`)
		} else {
			c.text.WriteString(v)
		}
	}
	c.text.WriteByte('\n')
}

func (c *goldenCase) check(t *testing.T) Report {
	t.Helper()
	lib := library(t)
	if c.mounted != "" {
		var err error
		dir := t.TempDir()
		if err = os.MkdirAll(filepath.Join(dir, c.layout[1]), 0o700); err != nil {
			t.Fatal(err)
		}
		if err = os.WriteFile(filepath.Join(dir, c.layout[1], "mounted.csv"), []byte(c.mounted), 0o600); err != nil {
			t.Fatal(err)
		}
		if lib, err = standard.Load(os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	text := c.text.String()
	if c.charset == "gb18030" {
		text = gb(t, text)
	}
	o := Options{Now: noon}
	var batch *Batch
	if c.beside != nil {
		batch = NewBatch(0)
		kind := upload.Kind(c.beside.layout[2])
		other := NewChecker(lib, upload.Channel(c.layout[0]), kind, Options{Now: noon, Links: batch.File("other", kind)})
		_, _ = other.Write([]byte(c.beside.text.String()))
		other.Close()
		o.Links = batch.File("this", upload.Kind(c.layout[2]))
	}
	checker := NewChecker(lib, upload.Channel(c.layout[0]), upload.Kind(c.layout[2]), o)
	_, _ = checker.Write([]byte(text))
	r := checker.Close()
	if batch != nil {
		r.Findings = append(r.Findings, batch.Missing()["this"]...)
	}
	return r
}

// withSeverity writes findings as "row column rule severity".
func withSeverity(r Report) []string {
	var all []string
	for _, f := range r.Findings {
		column := f.Column
		if column == "" {
			column = "-"
		}
		all = append(all, fmt.Sprintf("%d %s %s %s", f.Row, column, f.Rule, f.Severity))
	}
	return all
}

func TestGoldenCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "rules", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		for _, c := range readCases(t, file) {
			t.Run(filepath.Base(file)+c.name, func(t *testing.T) {
				t.Parallel()
				r := c.check(t)
				if d := cmp.Diff(c.findings, withSeverity(r)); d != "" {
					t.Errorf("%s", d)
				}
				for _, f := range r.Findings {
					for _, lang := range phrase.Langs() {
						if text := phrase.Text(lang, "rule."+f.Rule, f.Params); strings.Contains(text, "{") {
							t.Errorf("%s lacks a parameter: %s", f.Rule, text)
						}
					}
				}
			})
		}
	}
}

func TestEveryRuleHasAnAcceptingAndARefusingCase(t *testing.T) {
	t.Parallel()
	for _, r := range Rules(library(t), "") {
		accepts, refuses := false, false
		file := filepath.Join("testdata", "rules", r.ID+".txt")
		if _, err := os.Stat(file); err != nil {
			t.Errorf("rule %s has no cases", r.ID)
			continue
		}
		for _, c := range readCases(t, file) {
			refused := strings.Contains(strings.Join(c.findings, "\n")+" ", " "+r.ID+" ")
			refuses = refuses || refused
			accepts = accepts || len(c.findings) == 0
		}
		if !accepts || !refuses {
			t.Errorf("rule %s: accepting case: %v, refusing case: %v", r.ID, accepts, refuses)
		}
	}
}
