package validate

import (
	"bytes"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// test is one question of a condition, laid out for the slots of a plan.
type test struct {
	slots    []int
	answers  func(*test, *value) bool // the positive question of one value
	negative bool                     // asked is that no column has what the question is for
	limit    int64
	numeral  bool // the value of = is a number
	values   []bounds
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
	out := test{answers: answers[t.Op], negative: t.Op == standard.OpNot || t.Op == standard.OpNotStarts, limit: t.Limit}
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
	for _, slot := range t.slots {
		v := &c.plan.values[slot]
		if v.kind == isBad {
			return false
		}
		if t.answers(t, v) {
			return !t.negative
		}
	}
	return t.negative
}

// answers says how the positive question of each test is asked.
var answers = map[standard.TestOp]func(*test, *value) bool{
	standard.OpEmpty:     func(_ *test, v *value) bool { return !v.filled() },
	standard.OpFilled:    func(_ *test, v *value) bool { return v.filled() },
	standard.OpIn:        func(t *test, v *value) bool { return t.among(v.raw) },
	standard.OpNot:       func(t *test, v *value) bool { return t.among(v.raw) },
	standard.OpStarts:    func(t *test, v *value) bool { return len(v.raw) > 0 && t.starts(v.raw) },
	standard.OpNotStarts: func(t *test, v *value) bool { return len(v.raw) > 0 && t.starts(v.raw) },
	standard.OpLess:      func(t *test, v *value) bool { return v.kind == isNumber && v.n < t.limit },
	standard.OpAtMost:    func(t *test, v *value) bool { return v.kind == isNumber && v.n <= t.limit },
	standard.OpMore:      func(t *test, v *value) bool { return v.kind == isNumber && v.n > t.limit },
	standard.OpAtLeast:   func(t *test, v *value) bool { return v.kind == isNumber && v.n >= t.limit },
	standard.OpEquals: func(t *test, v *value) bool {
		return t.among(v.raw) || (t.numeral && v.kind == isNumber && v.n == t.limit)
	},
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
