package validate

import (
	"bytes"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// test is one question of a condition, laid out for the slots of a plan.
type test struct {
	slots   []int
	op      standard.TestOp
	limit   int64
	numeral bool // the value of = is a number
	values  []bounds
}

// bounds is one value of a test; high is nil unless it is a range.
type bounds struct{ low, high []byte }

// compile lays a condition out.
func (p *plan) compile(when standard.Condition) [][]test {
	var all [][]test
	for _, group := range when {
		var tests []test
		for _, t := range group {
			tests = append(tests, p.compileTest(t))
		}
		all = append(all, tests)
	}
	return all
}

func (p *plan) compileTest(t standard.Test) test {
	out := test{op: t.Op, limit: t.Limit}
	for _, c := range t.Columns {
		out.slots = append(out.slots, p.slots[c])
	}
	for _, v := range t.Values {
		var b bounds
		low, high, ranged := bytes.Cut([]byte(v), []byte(".."))
		if b.low = low; ranged && (t.Op == standard.OpStarts || t.Op == standard.OpNotStarts) {
			b.high = high
		} else {
			b.low = []byte(v)
		}
		out.values = append(out.values, b)
	}
	if t.Op == standard.OpEquals {
		_, out.numeral = standard.ParseNumber(t.Values[0])
	}
	return out
}

// holds tells whether a condition holds; the empty one does.
func (c *Checker) holds(when [][]test) bool {
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
// of the columns has what the positive one asks for. Of a value that is not what
// its column says, nothing is known: the answer is no to either.
func (c *Checker) test(t *test) bool {
	negative := t.op == standard.OpNot || t.op == standard.OpNotStarts
	for _, slot := range t.slots {
		v := &c.plan.values[slot]
		if v.kind == isBad {
			return false
		}
		if t.answers(v) {
			return !negative
		}
	}
	return negative
}

// answers asks the positive question of one value.
func (t *test) answers(v *value) bool {
	switch t.op {
	case standard.OpEmpty:
		return !v.filled()
	case standard.OpFilled:
		return v.filled()
	case standard.OpIn, standard.OpNot:
		return t.among(v.raw)
	case standard.OpStarts, standard.OpNotStarts:
		return len(v.raw) > 0 && t.starts(v.raw)
	case standard.OpEquals:
		return t.among(v.raw) || (t.numeral && v.kind == isNumber && v.n == t.limit)
	default:
		return v.kind == isNumber && t.compares(v.n)
	}
}

func (t *test) compares(n int64) bool {
	switch t.op {
	case standard.OpLess:
		return n < t.limit
	case standard.OpAtMost:
		return n <= t.limit
	case standard.OpMore:
		return n > t.limit
	case standard.OpAtLeast:
		return n >= t.limit
	default:
		return false
	}
}

func (t *test) among(v []byte) bool {
	for i := range t.values {
		if string(v) == string(t.values[i].low) {
			return true
		}
	}
	return false
}

// starts reports whether v begins with one of the values, or lies in one of the
// ranges A00..B99, compared over the length of its ends.
func (t *test) starts(v []byte) bool {
	for i := range t.values {
		b := &t.values[i]
		if b.high == nil {
			if bytes.HasPrefix(v, b.low) {
				return true
			}
			continue
		}
		if len(v) >= len(b.low) && string(v[:len(b.low)]) >= string(b.low) && string(v[:min(len(v), len(b.high))]) <= string(b.high) {
			return true
		}
	}
	return false
}
