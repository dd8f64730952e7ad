package synthetic

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// prepare sorts the codes of every dictionary and finds a column to spoil: a
// required one with a dictionary that no rule reads.
func (g *Generator) prepare() {
	read := map[int]bool{}
	for _, r := range g.layout.Rules {
		for _, group := range r.When {
			for _, t := range group {
				for _, c := range t.Columns {
					read[c] = true
				}
			}
		}
		if r.Sex >= 0 {
			read[r.Sex] = true
		}
	}
	g.spoil = -1
	g.codes = make([][]string, len(g.layout.Columns))
	for i, c := range g.layout.Columns {
		if c.Dictionary == nil || c.Dictionary.Open {
			continue
		}
		g.codes[i] = slices.Sorted(maps.Keys(c.Dictionary.Codes))
		if c.Need == standard.Required && (g.spoil < 0 || !read[i]) {
			g.spoil = i
		}
	}
}

// Spoil makes one value of the row wrong, so that the row has an error.
func (g *Generator) Spoil(row []string) {
	if g.spoil >= 0 {
		row[g.spoil] = "?"
	}
}

// Row makes the next row: fields in the order of the header.
func (g *Generator) Row() []string {
	v := g.visit()
	row := make([]string, len(g.layout.Columns))
	named, live := "", ""
	for i := range g.layout.Columns {
		c := &g.layout.Columns[i]
		if s, ok := v.known(strings.ToUpper(c.Code), g.seed); ok {
			row[i] = s
			continue
		}
		if describes(c) && named != "" { // the words of the code before it
			row[i], named = cut(named, c.Length), ""
			continue
		}
		if c.Need != standard.Required && !g.chance(c, live) {
			continue
		}
		row[i], named = g.value(i, v)
		if opens(c) {
			live = ordinal(c)
		}
	}
	g.agree(row, v)
	return row
}

// opens reports whether the column is the first of a group that is repeated:
// diagnoses, operations, stays in intensive care.
func opens(c *standard.Column) bool {
	return c.Coding != standard.NoCoding || strings.HasPrefix(c.Name, "重症监护室名称")
}

// ordinal is the number at the end of a column's name: its place among the
// repeated ones.
func ordinal(c *standard.Column) string {
	return c.Name[len(strings.TrimRight(c.Name, "0123456789")):]
}

// chance decides whether an optional column is filled: the further ones of a
// group with its first, and groups more seldom the further down they are.
func (g *Generator) chance(c *standard.Column, live string) bool {
	n := ordinal(c)
	switch {
	case describes(c), c.Need == standard.Conditional, slices.Contains([]string{"P6", "A16", "P66"}, c.Code):
		return false
	case opens(c) && strings.Contains(c.Name, "主要"):
		return true
	case opens(c) && (n == "" || n == "1"):
		return g.rnd.IntN(4) == 0
	case opens(c):
		return g.rnd.IntN(60) == 0
	case n != "":
		return n == live && g.rnd.IntN(4) > 0
	default:
		return g.rnd.IntN(4) == 0
	}
}

// describes reports whether the column holds the words of a code.
func describes(c *standard.Column) bool {
	return c.Type == standard.Text && c.Coding == standard.NoCoding && c.Dictionary == nil &&
		(strings.Contains(c.Name, "诊断") || strings.Contains(c.Name, "手术操作名称") || strings.Contains(c.Name, "原因") || strings.Contains(c.Name, "因素")) &&
		(strings.Contains(c.Name, "描述") || strings.Contains(c.Name, "名称"))
}

// value makes a value for a column, and the words of it if it is a code.
func (g *Generator) value(i int, v visit) (value, words string) {
	c := &g.layout.Columns[i]
	switch {
	case c.Type == standard.Set && len(g.codes[i]) > 0:
		return g.set(g.codes[i]), ""
	case len(g.codes[i]) > 0:
		return pick(g, g.codes[i]), ""
	case c.Type == standard.Number:
		return g.number(c), ""
	case c.Type == standard.Date:
		return g.during(v).Format(time.DateOnly), ""
	case c.Type == standard.DateTime:
		return g.during(v).Format(time.DateTime), ""
	case c.Digits > 0:
		return fmt.Sprintf("%0*d", c.Digits, 100_000+g.rnd.IntN(899_999))[:c.Digits], ""
	case c.Coding != standard.NoCoding:
		x := pick(g, g.coded(c))
		return x.code, x.name
	default:
		return cut(g.text(c), c.Length), ""
	}
}

func (g *Generator) coded(c *standard.Column) []coded {
	switch {
	case c.Coding == standard.Morphology:
		return morphologies()
	case c.Coding == standard.ICD9:
		return operations()
	case strings.Contains(c.Name, "外部"):
		return causes()
	case g.layout.Kind == "flu":
		return diagnoses()[:6] // those of the respiratory tract
	default:
		return diagnoses()
	}
}

func pick[T any](g *Generator, from []T) T { return from[g.rnd.IntN(len(from))] }

func (g *Generator) set(codes []string) string {
	n := 1 + g.rnd.IntN(2)
	chosen := make([]string, 0, n)
	for range n {
		chosen = append(chosen, pick(g, codes))
	}
	return strings.Join(chosen, ",")
}

// during is a time between admission and discharge.
func (g *Generator) during(v visit) time.Time {
	return v.admitted.Add(time.Duration(g.rnd.Int64N(int64(v.discharged.Sub(v.admitted))))).Truncate(time.Second)
}

// number stays small, so that sums and totals stay within their digits.
func (g *Generator) number(c *standard.Column) string {
	low, high := int64(0), int64(math.Pow10(min(3, c.Length-c.Scale)))-1
	if c.Min != nil {
		low = *c.Min / 10_000
	}
	if c.Max != nil {
		high = *c.Max / 10_000
	}
	n := low + g.rnd.Int64N(max(1, high-low))
	if c.Scale == 0 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d.%0*d", n, c.Scale, g.rnd.IntN(int(math.Pow10(c.Scale))))
}

func (g *Generator) person() string { return pick(g, surnames()) + pick(g, givenNames()) }

// text makes words that fit the column's name.
func (g *Generator) text(c *standard.Column) string {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(c.Name, w) })
	}
	switch {
	case has("电话"):
		return fmt.Sprintf("010%08d", g.rnd.IntN(100_000_000))
	case has("邮政编码"):
		return fmt.Sprintf("1%05d", g.rnd.IntN(100_000))
	case has("剂量单位"):
		return "mg"
	case has("地址", "工作单位", "出生地"):
		return fmt.Sprintf("北京市东城区%s%d号", pick(g, streets()), 1+g.rnd.IntN(300))
	case has("医师", "主任", "护士", "护师", "术者", "助", "编码员", "姓名") && !has("编码（", "师编码"):
		return g.person()
	case has("病房", "病室"):
		return fmt.Sprintf("%d病区", 1+g.rnd.IntN(20))
	case has("主诉", "入院诊断", "出院诊断", "诊疗", "医嘱", "治疗结果", "死亡诊断", "死亡原因"):
		return pick(g, complaints()) + "，予对症治疗"
	case has("药物名称"):
		return pick(g, drugs())
	case has("原因名称", "因素名称"):
		return causes()[0].name
	case has("诊断", "名称"):
		return pick(g, diagnoses()).name
	default:
		return fmt.Sprintf("%06d", g.rnd.IntN(1_000_000))
	}
}

// cut shortens a text to n characters; 0: no limit.
func cut(s string, n int) string {
	r := []rune(s)
	if n > 0 && len(r) > n {
		return string(r[:n])
	}
	return s
}
