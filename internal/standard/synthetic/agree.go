package synthetic

import (
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// agree makes a row meet the rules across its columns. What one rule changes
// may concern another, so it goes over them until nothing changes.
func (g *Generator) agree(row []string, v visit) {
	for range 4 {
		before := strings.Join(row, "\x00")
		for i := range g.layout.Rules {
			g.apply(&g.layout.Rules[i], row, v)
		}
		if strings.Join(row, "\x00") == before {
			return
		}
	}
}

func (g *Generator) apply(r *standard.Rule, row []string, v visit) {
	switch r.Form {
	case standard.FormRequire:
		g.require(r, row, v)
	case standard.FormEmpty:
		for _, t := range r.Targets {
			if row[t] != "" && holds(r.When, row) {
				row[t] = ""
			}
		}
	case standard.FormOrder:
		g.order(r, row)
	case standard.FormCompare:
		compare(g.layout, r, row)
	case standard.FormDays, standard.FormUnique, standard.FormIdentity, standard.FormLink: // the model sees to these
	}
}

// require fills what a condition asks for, a code together with its words.
func (g *Generator) require(r *standard.Rule, row []string, v visit) {
	words := ""
	for _, t := range r.Targets {
		if row[t] != "" || !holds(r.When, row) {
			continue
		}
		if c := &g.layout.Columns[t]; describes(c) && words != "" {
			row[t] = cut(words, c.Length)
			continue
		}
		row[t], words = g.value(t, v)
	}
}

// order moves dates that come too early or too late to the end they passed.
func (g *Generator) order(r *standard.Rule, row []string) {
	for _, t := range r.Targets {
		at, ok := moment(row[t])
		if !ok {
			continue
		}
		if low, ok := g.end(r.Low, row); ok && at.Before(low) {
			at = low
		}
		if high, ok := g.end(r.High, row); ok && at.After(high) {
			at = high
		}
		form := time.DateTime
		if len(row[t]) == len(time.DateOnly) {
			form = time.DateOnly
		}
		row[t] = at.Format(form)
	}
}

func (g *Generator) end(m standard.Moment, row []string) (time.Time, bool) {
	if m.Now {
		return g.now, true
	}
	if m.None() {
		return time.Time{}, false
	}
	t, ok := moment(row[m.Column])
	return t.AddDate(0, 0, m.Days), ok
}

func moment(s string) (time.Time, bool) {
	for _, form := range []string{time.DateTime, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// compare changes the left side's first column so that the comparison holds.
func compare(l *standard.Layout, r *standard.Rule, row []string) {
	left, any1 := sum(r.Left, row)
	right, any2 := sum(r.Right, row)
	if !any1 || !any2 {
		return
	}
	t := r.Targets[0]
	set := func(n int64) {
		row[t] = strconv.FormatFloat(float64(n)/10_000, 'f', l.Columns[t].Scale, 64)
	}
	switch {
	case strings.HasPrefix(r.Op, ">") && left <= right:
		set(right + 10_000)
	case strings.HasPrefix(r.Op, "<") && left >= right:
		set(right / 2 / 10_000 * 10_000)
	}
}

func sum(s standard.Sum, row []string) (total int64, filled bool) {
	total, filled = s.Constant, len(s.Columns) == 0
	for _, c := range s.Columns {
		if n, ok := standard.ParseNumber(row[c]); ok {
			total, filled = total+n, true
		}
	}
	return total, filled
}

func holds(when standard.Condition, row []string) bool {
	for _, group := range when {
		all := true
		for _, t := range group {
			all = all && test(t, row)
		}
		if all {
			return true
		}
	}
	return len(when) == 0
}

func test(t standard.Test, row []string) bool {
	negative := t.Op == standard.OpNot || t.Op == standard.OpNotStarts
	for _, c := range t.Columns {
		if answers(t, row[c]) {
			return !negative
		}
	}
	return negative
}

// answers asks the positive question of one value.
func answers(t standard.Test, s string) bool {
	n, numeral := standard.ParseNumber(s)
	switch t.Op {
	case standard.OpEmpty:
		return s == ""
	case standard.OpFilled:
		return s != ""
	case standard.OpStarts, standard.OpNotStarts:
		for _, want := range t.Values {
			low, high, ranged := strings.Cut(want, "..")
			if strings.HasPrefix(s, low) || (ranged && len(s) >= len(low) && s[:len(low)] >= low && s[:len(low)] <= high) {
				return true
			}
		}
		return false
	case standard.OpLess:
		return numeral && n < t.Limit
	case standard.OpAtMost:
		return numeral && n <= t.Limit
	case standard.OpMore:
		return numeral && n > t.Limit
	case standard.OpAtLeast:
		return numeral && n >= t.Limit
	case standard.OpEquals:
		want, number := standard.ParseNumber(t.Values[0])
		return s == t.Values[0] || (number && numeral && n == want)
	default:
		for _, want := range t.Values {
			if s == want {
				return true
			}
		}
		return false
	}
}
