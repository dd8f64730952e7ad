package standard

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// ParseNumber reads a plain decimal number into its 10,000th parts.
func ParseNumber(s string) (int64, bool) {
	whole, frac, dotted := strings.Cut(s, ".")
	if len(frac) > 4 || (dotted && frac == "") || len(whole) > 14 {
		return 0, false
	}
	negative := strings.HasPrefix(whole, "-")
	digits := strings.TrimPrefix(whole, "-") + (frac + "0000")[:4]
	if len(digits) == 4 || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if negative {
		n = -n
	}
	return n, err == nil
}

// parseRule understands the record of a rule; all columns are known by now.
func parseRule(y *Layout, r record) (Rule, error) {
	rule := Rule{Form: Form(r.field(0)), Birth: -1, Sex: -1, Low: Moment{Column: -1}, High: Moment{Column: -1}}
	if rule.Form == FormIdentity {
		return parseIdentity(y, r, rule)
	}
	rule.ID, rule.Severity = r.field(1), upload.Severity(r.field(2))
	rule.Text = strings.Join(r.fields[min(3, len(r.fields)):], ",")
	if rule.ID == "" || strings.Trim(rule.ID, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return rule, r.fail("a rule's id is made of capitals, digits and hyphens, not %q", rule.ID)
	}
	if rule.Severity.Rank() == 0 {
		return rule, r.fail("severity %q is none of fatal, error, warning", r.field(2))
	}
	p := ruleParser{layout: y, rec: r}
	switch rule.Form {
	case FormRequire, FormEmpty:
		rule.Targets = p.columns(strings.Fields(r.field(3)))
		rule.When = p.condition(r.field(4))
	case FormUnique:
		rule.Targets = p.columns(strings.Fields(r.field(3)))
	case FormLink:
		rule.Targets, rule.To = p.columns(strings.Fields(r.field(3))), upload.Kind(r.field(4))
		if rule.To == "" {
			p.fail("link: which kind?")
		}
	case FormOrder:
		p.order(&rule)
	case FormDays:
		p.days(&rule)
	case FormCompare:
		p.compare(&rule)
	case FormIdentity: // read above
	}
	if p.err == nil && len(rule.Targets) == 0 {
		p.fail("names no column")
	}
	return rule, p.err
}

func parseIdentity(y *Layout, r record, rule Rule) (Rule, error) {
	rule.ID, rule.Severity = "ID", upload.Error
	p := ruleParser{layout: y, rec: r}
	rule.Targets = p.columns([]string{r.field(1)})
	if r.field(2) != "" {
		rule.Birth = p.column(r.field(2))
	}
	if r.field(3) != "" {
		rule.Sex = p.column(r.field(3))
	}
	if r.field(4) != "" {
		rule.When = p.condition(r.field(4))
	}
	rule.Text = "GB 11643"
	return rule, p.err
}

// ruleParser keeps the first fault.
type ruleParser struct {
	layout *Layout
	rec    record
	err    error
}

func (p *ruleParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = p.rec.fail(p.rec.field(0)+" "+p.rec.field(1)+": "+format, args...)
	}
}

func (p *ruleParser) column(code string) int {
	i, ok := p.layout.Column(code)
	if !ok {
		p.fail("no column %q", code)
		return -1
	}
	return i
}

// columns resolves codes; one with * or ? stands for every column it fits.
func (p *ruleParser) columns(codes []string) []int {
	var all []int
	for _, code := range codes {
		if !strings.ContainsAny(code, "*?") {
			all = append(all, p.column(code))
			continue
		}
		before := len(all)
		for i, c := range p.layout.Columns {
			if ok, err := path.Match(strings.ToUpper(code), strings.ToUpper(c.Code)); ok && err == nil {
				all = append(all, i)
			}
		}
		if len(all) == before {
			p.fail("no column fits %q", code)
		}
	}
	return all
}

// condition understands "A = 1 and B empty or C in 2 3".
func (p *ruleParser) condition(text string) Condition {
	var all Condition
	for _, group := range strings.Split(" "+text+" ", " or ") {
		var tests []Test
		for _, test := range strings.Split(" "+group+" ", " and ") {
			tests = append(tests, p.test(strings.Fields(test)))
		}
		all = append(all, tests)
	}
	return all
}

// testOps lists the words that stand between columns and values.
func testOps() []TestOp {
	return []TestOp{OpIn, OpNot, OpStarts, OpNotStarts, OpEmpty, OpFilled, OpLess, OpAtMost, OpMore, OpAtLeast, OpEquals}
}

func (p *ruleParser) test(words []string) Test {
	at := slices.IndexFunc(words, func(w string) bool { return slices.Contains(testOps(), TestOp(w)) })
	if at < 1 {
		p.fail("%q is no condition", strings.Join(words, " "))
		return Test{}
	}
	t := Test{Columns: p.columns(words[:at]), Op: TestOp(words[at]), Values: words[at+1:]}
	none, one := len(t.Values) == 0, len(t.Values) == 1
	switch t.Op {
	case OpEmpty, OpFilled:
		if !none {
			p.fail("%q takes no value", t.Op)
		}
	case OpIn, OpNot, OpStarts, OpNotStarts:
		if none {
			p.fail("%q needs values", t.Op)
		}
	case OpLess, OpAtMost, OpMore, OpAtLeast, OpEquals:
		if !one {
			p.fail("%q needs one value", t.Op)
			break
		}
		n, ok := ParseNumber(t.Values[0])
		if t.Limit = n; !ok && t.Op != OpEquals {
			p.fail("%q is no number", t.Values[0])
		}
	}
	return t
}

// order understands "A <= B" and "A-1d <= B C D <= E"; A, B may be now.
func (p *ruleParser) order(rule *Rule) {
	parts := strings.Split(p.rec.field(3), "<=")
	switch {
	case len(parts) == 2 && strings.TrimSpace(parts[1]) == "now":
		rule.Targets, rule.High = p.columns(strings.Fields(parts[0])), Moment{Column: -1, Now: true}
	case len(parts) == 2:
		rule.Low, rule.Targets = p.moment(parts[0]), p.columns(strings.Fields(parts[1]))
	case len(parts) == 3:
		rule.Low, rule.High = p.moment(parts[0]), p.moment(parts[2])
		rule.Targets = p.columns(strings.Fields(parts[1]))
	default:
		p.fail("an order has one or two <=")
	}
}

func (p *ruleParser) moment(text string) Moment {
	text = strings.TrimSpace(text)
	if text == "now" {
		return Moment{Column: -1, Now: true}
	}
	at := strings.LastIndexAny(text, "+-")
	if at < 1 || !strings.HasSuffix(text, "d") {
		return Moment{Column: p.column(text)}
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text[at:], "d"))
	if err != nil {
		p.fail("%q: days are written like -1d", text)
	}
	return Moment{Column: p.column(text[:at]), Days: n}
}

func (p *ruleParser) days(rule *Rule) {
	codes := p.columns(strings.Fields(p.rec.field(3)))
	if len(codes) != 3 {
		p.fail("days needs the column of the days, the first and the last day")
		return
	}
	rule.Targets, rule.Low, rule.High = codes[:1], Moment{Column: codes[1]}, Moment{Column: codes[2]}
}

// compare understands "A >= B+C" and "A > 0"; the finding is on A.
func (p *ruleParser) compare(rule *Rule) {
	text := p.rec.field(3)
	for _, op := range []string{">=", "<=", ">", "<", "="} {
		left, right, ok := strings.Cut(text, op)
		if !ok {
			continue
		}
		rule.Op, rule.Left, rule.Right = op, p.sum(left), p.sum(right)
		rule.Targets = slices.Clone(rule.Left.Columns[:min(1, len(rule.Left.Columns))])
		return
	}
	p.fail("%q compares nothing", text)
}

func (p *ruleParser) sum(text string) Sum {
	var s Sum
	for _, part := range strings.Split(text, "+") {
		part = strings.TrimSpace(part)
		if n, ok := ParseNumber(part); ok {
			s.Constant += n
			continue
		}
		s.Columns = append(s.Columns, p.column(part))
	}
	return s
}
