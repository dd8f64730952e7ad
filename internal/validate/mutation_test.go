package validate

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// mutation makes one value wrong and names the rule that says so.
type mutation struct {
	name  string
	fits  func(c *standard.Column, v string) bool
	apply func(c *standard.Column, v string) string
	rule  string
}

func mutations() []mutation {
	to := func(s string) func(*standard.Column, string) string {
		return func(*standard.Column, string) string { return s }
	}
	plain := func(c *standard.Column) bool {
		return c.Type == standard.Text && c.Dictionary == nil && c.Digits == 0
	}
	coded := func(c *standard.Column) bool { return c.Dictionary != nil && !c.Dictionary.Open }
	dated := func(c *standard.Column) bool { return c.Type == standard.Date || c.Type == standard.DateTime }
	number := func(c *standard.Column) bool { return c.Type == standard.Number && !coded(c) }
	return []mutation{
		{"drop", func(c *standard.Column, _ string) bool { return c.Need == standard.Required }, to(""), "COL-REQUIRED"},
		{"dash in a key", func(c *standard.Column, _ string) bool { return c.Key }, to("-"), "COL-REQUIRED"},
		{"lengthen", func(c *standard.Column, _ string) bool { return plain(c) && c.Length > 0 }, func(c *standard.Column, _ string) string {
			return strings.Repeat("长", c.Length+1)
		}, "COL-LENGTH"},
		{"wrong code", func(c *standard.Column, _ string) bool { return coded(c) }, to("?"), "COL-DICT"},
		{"no such day", func(c *standard.Column, _ string) bool { return dated(c) }, to("2023-02-29"), "COL-DATE"},
		{"other date form", func(c *standard.Column, _ string) bool { return dated(c) }, to("2023/2/1"), "COL-DATE"},
		{"no number", func(c *standard.Column, _ string) bool { return number(c) }, to("1O"), "COL-NUMBER"},
		{"full-width digit", func(c *standard.Column, _ string) bool { return number(c) || coded(c) || dated(c) }, to("１"), "COL-FULL-WIDTH"},
		{"scientific", func(c *standard.Column, _ string) bool {
			return plain(c) && c.Length > 12 && c.Coding == standard.NoCoding
		}, to("1.10101E+17"), "COL-SCIENTIFIC"},
		{"wrong check digit", func(c *standard.Column, v string) bool { return (c.Code == "P13" || c.Code == "A20") && len(v) == 18 }, func(_ *standard.Column, v string) string {
			return v[:17] + string("10X98765432"[(strings.IndexByte("10X98765432", v[17])+1)%11])
		}, "ID-CHECK"},
	}
}

// dressing is a way files come in that changes no finding.
type dressing struct {
	tab, index, crlf, trailing, gb bool
	breaks                         int // a free text column that holds a line break; -1: none
}

func (d dressing) write(t failing, rows [][]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.UseCRLF = d.crlf
	for i, r := range rows {
		r = slices.Clone(r)
		if d.breaks >= 0 && i > 0 && r[d.breaks] != "" {
			r[d.breaks] = "甲\n\"乙\",丙"
		}
		if d.tab {
			for j := range r {
				r[j] = "\t" + r[j]
			}
		}
		if d.index {
			r = append([]string{[]string{"", fmt.Sprint(i)}[min(i, 1)]}, r...)
		}
		if d.trailing {
			r = append(r, "")
		}
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	if d.gb {
		return gb(t, b.String())
	}
	return b.String()
}

// freeText is a column of free text that no rule reads; -1: none.
func freeText(l *standard.Layout) int {
	for i, c := range l.Columns {
		if c.Type == standard.Text && c.Dictionary == nil && c.Length >= 80 && c.Coding == standard.NoCoding && c.Need == standard.Required {
			return i
		}
	}
	return -1
}

func TestEachMutationGivesTheFindingOfItsRuleAndNoOther(t *testing.T) {
	t.Parallel()
	lib := library(t)
	for _, ch := range []upload.Channel{upload.Flu, upload.HQMS} {
		for _, l := range lib.Layouts(ch, "") {
			t.Run(fmt.Sprintf("%s %s %s", ch, l.Standard, l.Kind), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(t *rapid.T) { mutate(t, lib, ch, l) })
			})
		}
	}
}

func mutate(t *rapid.T, lib *standard.Library, ch upload.Channel, l *standard.Layout) {
	g, err := synthetic.New(synthetic.Options{Library: lib, Channel: ch, Kind: l.Kind, Layout: l.Standard, Seed: rapid.Uint64().Draw(t, "seed")})
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]string{g.Header()}
	for range 4 {
		rows = append(rows, g.Row())
	}
	at := rapid.IntRange(1, 4).Draw(t, "row")
	m := rapid.SampledFrom(mutations()).Draw(t, "mutation")
	var fitting []int
	for i := range l.Columns {
		if m.fits(&l.Columns[i], rows[at][i]) {
			fitting = append(fitting, i)
		}
	}
	if len(fitting) == 0 {
		t.Skip("no column for " + m.name)
	}
	col := rapid.SampledFrom(fitting).Draw(t, "column")
	rows[at][col] = m.apply(&l.Columns[col], rows[at][col])
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	d := dressing{tab: flag("tab"), index: flag("index"), crlf: flag("crlf"), trailing: flag("trailing"), gb: flag("gb"), breaks: -1}
	if free := freeText(l); free != col && flag("breaks") {
		d.breaks = free
	}
	c := NewChecker(lib, ch, l.Kind, Options{Now: noon})
	text := []byte(d.write(t, rows))
	n := rapid.IntRange(1, 4000).Draw(t, "piece")
	for p := range slices.Chunk(text, n) {
		_, _ = c.Write(p)
	}
	want := fmt.Sprintf("%d %s %s\n", at+1, l.Columns[col].Code, m.rule)
	if l.Standard == "hqms-2020" && m.rule == "ID-CHECK" {
		want = fmt.Sprintf("%d A20 ID-CHECK\n", at+1)
	}
	if diff := cmp.Diff(want, lines(c.Close())); diff != "" {
		t.Fatalf("%s of %s: %s", m.name, l.Columns[col].Code, diff)
	}
}

func TestSwappedDatesAreFoundByTheRuleOfOrder(t *testing.T) {
	t.Parallel()
	lib := library(t)
	for _, tc := range []struct {
		channel    upload.Channel
		kind       upload.Kind
		layout     string
		a, b, rule string
	}{
		{upload.Flu, "hda", "flu-2.6", "P22", "P25", "HDA-P25-ORDER"},
		{upload.HQMS, "hqms", "flu-2.6", "P22", "P25", "HQMS-P25-ORDER"},
		{upload.HQMS, "hqms", "hqms-2019", "B12", "B15", "HQMS-B15-ORDER"},
	} {
		g, err := synthetic.New(synthetic.Options{Library: lib, Channel: tc.channel, Kind: tc.kind, Layout: tc.layout, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		row := g.Row()
		a, _ := g.Layout().Column(tc.a)
		b, _ := g.Layout().Column(tc.b)
		row[a], row[b] = row[b], row[a]
		c := NewChecker(lib, tc.channel, tc.kind, Options{Now: noon})
		_, _ = c.Write([]byte(dressing{breaks: -1}.write(t, [][]string{g.Header(), row})))
		if got := lines(c.Close()); !strings.Contains(got, "2 "+tc.b+" "+tc.rule+"\n") {
			t.Errorf("%s: %s", tc.layout, got)
		}
	}
}
