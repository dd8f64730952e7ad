package validate

import (
	"maps"
	"slices"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// ledger gathers findings: the first ones in full, all of them counted.
type ledger struct {
	book     *rulebook
	layout   *standard.Layout
	max      int
	kept     []upload.Finding
	tally    upload.Tally
	counts   [][]int64 // rule, column + 1, with -1 for no column; nil: the rule was not broken, or none
	extra    map[[2]string]int64
	row      int64
	rowWrong bool
	fileBad  bool
}

func newLedger(book *rulebook, layout *standard.Layout, limit int) *ledger {
	return &ledger{book: book, layout: layout, max: limit}
}

// adopt continues an earlier ledger that knew no layout yet.
func (l *ledger) adopt(old *ledger) {
	l.kept, l.tally, l.extra, l.fileBad = old.kept, old.tally, old.extra, old.fileBad
	for rule, n := range old.counts {
		if n != nil {
			l.count(ruleID(rule), -1, n[0])
		}
	}
}

func (l *ledger) count(rule ruleID, column int, n int64) {
	if l.counts == nil {
		l.counts = make([][]int64, len(l.book.rules))
	}
	if l.counts[rule] == nil {
		columns := 0
		if l.layout != nil {
			columns = len(l.layout.Columns)
		}
		l.counts[rule] = make([]int64, columns+1)
	}
	l.counts[rule][column+1] += n
}

// add notes a finding in the present row. params is asked only if the finding
// is kept, so that a file wrong in every row costs little.
func (l *ledger) add(rule ruleID, column int, params func() map[string]string) {
	if l.note(rule) {
		l.count(rule, column, 1)
		if len(l.kept) < l.max {
			l.keep(rule, l.code(column), params)
		}
	}
}

// addNamed is add for a column that the layout does not know.
func (l *ledger) addNamed(rule ruleID, column string, params func() map[string]string) {
	if !l.note(rule) {
		return
	}
	if l.extra == nil {
		l.extra = map[[2]string]int64{}
	}
	if len(l.extra) < 1000 {
		l.extra[[2]string{l.book.rules[rule].id, column}]++
	} else {
		l.count(rule, -1, 1)
	}
	if len(l.kept) < l.max {
		l.keep(rule, column, params)
	}
}

// note tallies; false if the rule is off.
func (l *ledger) note(rule ruleID) bool {
	info := l.book.rules[rule]
	switch info.severity {
	case upload.Fatal:
		l.tally.Fatal++
	case upload.Error:
		l.tally.Error++
	case upload.Warning:
		l.tally.Warning++
	default:
		return false
	}
	if info.severity != upload.Warning {
		l.rowWrong = true
		l.fileBad = l.fileBad || info.wide
	}
	return true
}

func (l *ledger) keep(rule ruleID, column string, params func() map[string]string) {
	info := l.book.rules[rule]
	f := upload.Finding{Severity: info.severity, Rule: info.id, Row: l.row, Column: column}
	if params != nil {
		f.Params = params()
	}
	if l.layout == nil {
		l.kept = append(l.kept, f)
		return
	}
	if i, ok := l.layout.Column(column); ok {
		f.Params = withParam(f.Params, "name", l.layout.Columns[i].Name)
	}
	if info.form != "" && !phrase.Has("rule."+info.id) { // of a mounted standard
		f.Params = withParam(f.Params, "form", string(info.form))
	}
	if text, ok := l.layout.Texts[info.id]; ok {
		f.Params = withParam(withParam(f.Params, "zh", text[0]), "en", text[1])
	}
	l.kept = append(l.kept, f)
}

func withParam(params map[string]string, name, value string) map[string]string {
	if params == nil {
		params = map[string]string{}
	}
	params[name] = value
	return params
}

func (l *ledger) code(column int) string {
	if column < 0 || l.layout == nil {
		return ""
	}
	return l.layout.Columns[column].Code
}

// counted lists the counts, by rule and column.
func (l *ledger) counted() []RuleCount {
	var all []RuleCount
	for rule, columns := range l.counts {
		info := l.book.rules[rule]
		for i, n := range columns {
			if n > 0 {
				all = append(all, RuleCount{Rule: info.id, Column: l.code(i - 1), Severity: info.severity, N: n})
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(l.extra), func(a, b [2]string) int { return compareText(a[0]+a[1], b[0]+b[1]) }) {
		info := l.book.rules[l.book.by[k[0]]]
		all = append(all, RuleCount{Rule: k[0], Column: k[1], Severity: info.severity, N: l.extra[k]})
	}
	return all
}
