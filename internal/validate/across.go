package validate

import (
	"strconv"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// forms says how the rules of each form are applied.
var forms = map[standard.Form]func(*Checker, *bound){
	standard.FormRequire:  (*Checker).require,
	standard.FormEmpty:    (*Checker).mustBeEmpty,
	standard.FormOrder:    (*Checker).order,
	standard.FormDays:     (*Checker).days,
	standard.FormCompare:  (*Checker).compare,
	standard.FormUnique:   (*Checker).unique,
	standard.FormIdentity: (*Checker).identity,
	standard.FormLink:     (*Checker).link,
}

// across applies the rules across columns to the row whose values are in the
// plan.
func (c *Checker) across() {
	for i := range c.plan.rules {
		b := &c.plan.rules[i]
		b.apply(c, b)
	}
}

// asWritten gives a rule's own text as the expected form.
func asWritten(b *bound) func() map[string]string {
	return func() map[string]string { return map[string]string{"expected": b.Text} }
}

func (c *Checker) require(b *bound) {
	asked, holds := false, false
	for _, t := range b.Targets {
		v := c.plan.at(t)
		if v.kind > isDash {
			continue
		}
		if !asked {
			asked, holds = true, c.holds(b.when)
		}
		if !holds {
			return
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
		if v := c.plan.at(t); v.filled() && v.kind != isBad && c.holds(b.when) {
			c.led.add(b.id, t, asWritten(b))
		}
	}
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

// moment gives one end of an order; nil if it is not known.
func (c *Checker) moment(m *standard.Moment) *value {
	switch {
	case m.Now && c.now.n != 0:
		return &c.now
	case m.Now, m.None():
		return nil
	}
	if v := c.plan.at(m.Column); v.dated() {
		return v
	}
	return nil
}

func (c *Checker) order(b *bound) {
	for _, t := range b.Targets {
		if v := c.plan.at(t); v.dated() && c.outside(b, v) {
			c.led.add(b.id, t, asWritten(b))
		}
	}
}

// outside reports whether a date is earlier or later than an order allows.
func (c *Checker) outside(b *bound, v *value) bool {
	if low := c.moment(&b.Low); low != nil && later(low, v, -days(&b.Low)) {
		return true // low + days ≤ v is low ≤ v − days
	}
	high := c.moment(&b.High)
	return high != nil && later(v, high, days(&b.High))
}

// days is by how many days a moment is moved; now is not.
func days(m *standard.Moment) int {
	if m.Now {
		return 0
	}
	return m.Days
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
	if first, again := c.plan.seen[b.seen].see(c.hash(v.raw), c.led.row); again {
		c.led.add(b.id, b.Targets[0], param("first", strconv.FormatInt(first, 10)))
	}
}
