package validate

import (
	"bytes"
	"strconv"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// across applies the rules across columns to the row whose values are in the
// plan.
func (c *Checker) across() {
	for i := range c.plan.rules {
		b := &c.plan.rules[i]
		switch b.Form {
		case standard.FormRequire:
			c.require(b)
		case standard.FormEmpty:
			c.mustBeEmpty(b)
		case standard.FormOrder:
			c.order(b)
		case standard.FormDays:
			c.days(b)
		case standard.FormCompare:
			c.compare(b)
		case standard.FormUnique:
			c.unique(b)
		case standard.FormIdentity:
			c.identity(b)
		case standard.FormLink:
			c.link(b)
		}
	}
}

// asWritten gives a rule's own text as the expected form.
func asWritten(b *bound) func() map[string]string {
	return func() map[string]string { return map[string]string{"expected": b.Text} }
}

func (c *Checker) require(b *bound) {
	for _, t := range b.Targets {
		v := c.plan.at(t)
		if v.kind > isDash || !c.holds(b.When) {
			continue
		}
		if v.kind == isEmpty {
			c.led.add(b.id, t, asWritten(b))
		} else if !c.layout.Columns[t].Dash {
			c.led.add(colDash, t, nil)
		}
	}
}

func (c *Checker) mustBeEmpty(b *bound) {
	for _, t := range b.Targets {
		if c.plan.at(t).filled() && c.holds(b.When) {
			c.led.add(b.id, t, asWritten(b))
		}
	}
}

// holds tells whether a condition holds; the empty one does.
func (c *Checker) holds(when standard.Condition) bool {
	for _, group := range when {
		all := true
		for i := range group {
			if all = c.test(&group[i]); !all {
				break
			}
		}
		if all {
			return true
		}
	}
	return len(when) == 0
}

// test asks its question of each column. The negative questions ask that none
// of the columns has what the positive one asks for.
func (c *Checker) test(t *standard.Test) bool {
	if t.Op == standard.OpNot || t.Op == standard.OpNotStarts {
		for _, col := range t.Columns {
			if v := c.plan.at(col); (t.Op == standard.OpNot && among(v, t)) || (t.Op == standard.OpNotStarts && starts(v.raw, t.Values)) {
				return false
			}
		}
		return true
	}
	for _, col := range t.Columns {
		if answers(c.plan.at(col), t) {
			return true
		}
	}
	return false
}

func answers(v *value, t *standard.Test) bool {
	switch t.Op {
	case standard.OpEmpty:
		return !v.filled()
	case standard.OpFilled:
		return v.filled()
	case standard.OpIn:
		return among(v, t)
	case standard.OpStarts:
		return starts(v.raw, t.Values)
	case standard.OpEquals:
		return among(v, t) || (v.kind == isNumber && v.n == t.Limit && isNumeral(t.Values[0]))
	default:
		return v.kind == isNumber && compares(v.n, t)
	}
}

func compares(n int64, t *standard.Test) bool {
	switch t.Op {
	case standard.OpLess:
		return n < t.Limit
	case standard.OpAtMost:
		return n <= t.Limit
	case standard.OpMore:
		return n > t.Limit
	case standard.OpAtLeast:
		return n >= t.Limit
	default:
		return false
	}
}

func isNumeral(s string) bool { _, ok := standard.ParseNumber(s); return ok }

func among(v *value, t *standard.Test) bool {
	for _, want := range t.Values {
		if string(v.raw) == want {
			return true
		}
	}
	return false
}

// starts reports whether v begins with one of the values, or lies in one of the
// ranges A00..B99, compared over the length of its ends.
func starts(v []byte, values []string) bool {
	for _, want := range values {
		low, high, ranged := bytes.Cut([]byte(want), []byte(".."))
		if !ranged {
			if bytes.HasPrefix(v, low) {
				return true
			}
			continue
		}
		if len(v) >= len(low) && bytes.Compare(v[:len(low)], low) >= 0 && bytes.Compare(v[:min(len(v), len(high))], high) <= 0 {
			return true
		}
	}
	return false
}

const secondsPerDay = 86_400

// later reports whether a is later than b allows: by the day when either bears
// no time of day.
func later(a, b *value, bDays int) bool {
	x, y := a.n, b.n+int64(bDays)*secondsPerDay
	if a.kind == isDate || b.kind == isDate || bDays != 0 {
		return floorDay(x) > floorDay(y)
	}
	return x > y
}

func floorDay(seconds int64) int64 {
	d := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		d--
	}
	return d
}

// moment gives one end of an order; false if it is not known.
func (c *Checker) moment(m standard.Moment) (value, int, bool) {
	if m.Now {
		return value{n: c.now, kind: isDateTime}, 0, c.now != 0
	}
	if m.None() {
		return value{}, 0, false
	}
	v := c.plan.at(m.Column)
	return *v, m.Days, v.dated()
}

func (c *Checker) order(b *bound) {
	low, lowDays, hasLow := c.moment(b.Low)
	high, highDays, hasHigh := c.moment(b.High)
	for _, t := range b.Targets {
		v := c.plan.at(t)
		if !v.dated() {
			continue
		}
		// low + days ≤ v is low ≤ v − days
		if (hasLow && later(&low, v, -lowDays)) || (hasHigh && later(v, &high, highDays)) {
			c.led.add(b.id, t, asWritten(b))
		}
	}
}

func (c *Checker) days(b *bound) {
	v, from, to := c.plan.at(b.Targets[0]), c.plan.at(b.Low.Column), c.plan.at(b.High.Column)
	if v.kind != isNumber || !from.dated() || !to.dated() {
		return
	}
	want := max(1, floorDay(to.n)-floorDay(from.n))
	if to.n < from.n || v.n == want*scale {
		return // an exit before the entry is another rule's matter
	}
	c.led.add(b.id, b.Targets[0], asWritten(b))
}

// sum adds up; empty cells are nothing, bad ones make the sum unknown.
func (c *Checker) sum(s *standard.Sum) (total int64, known, any bool) {
	total = s.Constant
	any = len(s.Columns) == 0
	for _, col := range s.Columns {
		switch v := c.plan.at(col); v.kind {
		case isNumber:
			total += v.n
			any = true
		case isEmpty, isDash:
		default:
			return 0, false, true
		}
	}
	return total, true, any
}

func (c *Checker) compare(b *bound) {
	left, ok1, any1 := c.sum(&b.Left)
	right, ok2, any2 := c.sum(&b.Right)
	if !ok1 || !ok2 || !any1 || !any2 {
		return
	}
	var ok bool
	switch b.Op {
	case ">=":
		ok = left >= right
	case "<=":
		ok = left <= right
	case ">":
		ok = left > right
	case "<":
		ok = left < right
	default:
		ok = left == right
	}
	if !ok {
		c.led.add(b.id, b.Targets[0], asWritten(b))
	}
}

func (c *Checker) unique(b *bound) {
	v := c.plan.at(b.Targets[0])
	if v.kind < isText || v.kind == isBad {
		return
	}
	if first, again := b.seen.see(c.hash(v.raw), c.led.row); again {
		c.led.add(b.id, b.Targets[0], param("first", strconv.FormatInt(first, 10)))
	}
}
