package validate

import (
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// plan is a check laid out for one header: a cell per field, and the rules
// across columns with the slots their columns' values are kept in.
type plan struct {
	layout *standard.Layout
	cells  []cell // by field
	// required are the fields that have to hold something, in order: most cells
	// are empty, and only of these is anything asked then.
	required []int
	index    bool  // the first field is an unnamed row number
	slots    []int // column → slot; -1: no rule asks for it
	values   []value
	rules    []bound
	opts     Options
	haves    []have
	seen     []*seenSet // of the rules of unique values
	tables   map[*standard.Dictionary]*dictTable
}

// first is the first field that holds data.
func (p *plan) first() int {
	if p.index {
		return 1
	}
	return 0
}

// bound is a rule with its number.
type bound struct {
	*standard.Rule
	id    ruleID
	apply func(*Checker, *bound)
	when  [][]test
	seen  int    // of unique: which of the plan's sets
	name  string // of link: its columns
}

func newPlan(l *standard.Layout, book *rulebook, o Options, fields int) *plan {
	p := &plan{layout: l, cells: make([]cell, fields), slots: make([]int, len(l.Columns)), opts: o, tables: map[*standard.Dictionary]*dictTable{}}
	for i := range p.cells {
		p.cells[i] = cell{column: -1, slot: -1}
	}
	for i := range p.slots {
		p.slots[i] = -1
	}
	for i := range l.Rules {
		r := &l.Rules[i]
		b := bound{Rule: r, id: idForm, apply: forms[r.Form]}
		if r.Form != standard.FormIdentity {
			b.id = book.by[r.ID]
			if book.off(b.id) {
				continue
			}
		}
		if r.Form == standard.FormUnique {
			b.seen = len(p.seen)
			p.seen = append(p.seen, newSeenSet())
		}
		if r.Form == standard.FormLink {
			if o.Links == nil {
				continue
			}
			b.name = columnNames(l, r.Targets)
		}
		p.ask(r)
		b.when = p.compile(r.When)
		p.rules = append(p.rules, b)
	}
	return p
}

// afresh is the plan for another file: what checking changes is its own.
func (p *plan) afresh() *plan {
	own := *p
	own.opts.Links = nil // the first file's; it was asked for when the plan was made
	own.values, own.seen = make([]value, len(p.values)), make([]*seenSet, len(p.seen))
	for i := range own.seen {
		own.seen[i] = newSeenSet()
	}
	return &own
}

// ask gives every column that a rule reads a slot.
func (p *plan) ask(r *standard.Rule) {
	columns := append([]int{r.Low.Column, r.High.Column, r.Birth, r.Sex}, r.Targets...)
	columns = append(append(columns, r.Left.Columns...), r.Right.Columns...)
	for _, group := range r.When {
		for _, t := range group {
			columns = append(columns, t.Columns...)
		}
	}
	for _, c := range columns {
		if c >= 0 && p.slots[c] < 0 {
			p.slots[c] = len(p.values)
			p.values = append(p.values, value{})
		}
	}
}

// place says that a field holds a column. Fields are placed in order.
func (p *plan) place(field, column int) {
	p.cells[field] = p.newCell(column)
	if p.cells[field].required {
		p.required = append(p.required, field)
	}
}

// table gives the table of a dictionary, one for all its columns.
func (p *plan) table(d *standard.Dictionary) *dictTable {
	t, ok := p.tables[d]
	if !ok {
		t = newDictTable(d)
		p.tables[d] = t
	}
	return t
}

// at is a column's value in the present row; empty if the header lacks it.
func (p *plan) at(column int) *value { return &p.values[p.slots[column]] }

func columnNames(l *standard.Layout, columns []int) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = strings.ToUpper(l.Columns[c].Code)
	}
	return strings.Join(names, "+")
}
