package standard

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// reading is one file being read: what its records belong to.
type reading struct {
	loader  *loader
	std     *Standard
	draft   *draft
	dict    *Dictionary
	touched map[string]bool // rule ids this file has defined: earlier files' ones are gone
}

// take understands one record.
func (in *reading) take(r record) error {
	switch r.field(0) {
	case "standard", "title", "base":
		return in.heading(r)
	case "kind":
		return in.kind(r)
	case "dictionary":
		return in.dictionary(r)
	case "code":
		return in.code(r)
	case "channel", "prefix", "column", "replace", "drop", "severity", "text",
		"require", "empty", "order", "days", "compare", "unique", "identity", "link":
		if in.draft == nil {
			return r.fail("%s must come after kind", r.field(0))
		}
		return in.layoutRecord(r)
	default:
		return r.fail("unknown record %q", r.field(0))
	}
}

func (in *reading) heading(r record) error {
	switch r.field(0) {
	case "standard":
		if r.field(1) != in.std.ID {
			return r.fail("standard %q lies in folder %q", r.field(1), in.std.ID)
		}
	case "base":
		in.std.Base = r.field(1)
	case "title":
		if r.field(1) == "" || r.field(2) == "" {
			return r.fail("title needs Chinese and English")
		}
		if in.draft != nil {
			in.draft.layout.TitleZH, in.draft.layout.TitleEN = r.field(1), r.field(2)
		} else {
			in.std.TitleZH, in.std.TitleEN = r.field(1), r.field(2)
		}
	}
	return nil
}

func (in *reading) kind(r record) error {
	k := r.field(1)
	if k == "" || strings.ToLower(k) != k || strings.ContainsAny(k, " _/.") {
		return r.fail("a kind is a lower-case word, not %q", k)
	}
	in.draft = in.loader.draft(in.std.ID, upload.Kind(k))
	return nil
}

func (in *reading) dictionary(r record) error {
	name, mode := r.field(1), r.field(3)
	if name == "" {
		return r.fail("a dictionary needs a name")
	}
	old := in.loader.dictionary(in.std.ID, name)
	d := &Dictionary{Name: name, Title: r.field(2), Codes: map[string]string{}}
	switch mode {
	case "":
	case "open":
		d.Open = true
	case "extend":
		if old == nil {
			return r.fail("dictionary %s cannot be extended: it is not defined", name)
		}
		for c, text := range old.Codes {
			d.Codes[c] = text
		}
	default:
		return r.fail("dictionary %s: %q is neither open nor extend", name, mode)
	}
	in.std.Dictionaries[name], in.dict = d, d
	return nil
}

func (in *reading) code(r record) error {
	if in.dict == nil {
		return r.fail("code must come after dictionary")
	}
	if r.field(1) == "" {
		return r.fail("an empty code")
	}
	in.dict.Codes[r.field(1)] = r.field(2)
	return nil
}

// layoutRecord understands a record that belongs to a kind.
func (in *reading) layoutRecord(r record) error {
	y := in.draft.layout
	switch r.field(0) {
	case "replace": // forget what earlier files said of this kind
		*y = *newLayout(y.Standard, y.Kind)
		in.draft.dicts, in.draft.rules = nil, nil
	case "channel":
		if r.field(1) == "" {
			return r.fail("a channel needs a name")
		}
		if c := upload.Channel(r.field(1)); !y.On(c) {
			y.Channels = append(y.Channels, c)
		}
	case "prefix":
		return addPrefix(y, r)
	case "column":
		return in.draft.addColumn(r)
	case "drop":
		return in.draft.drop(r)
	case "severity":
		sev := upload.Severity(r.field(2))
		if sev != Off && sev.Rank() == 0 {
			return r.fail("severity %q is none of fatal, error, warning, off", r.field(2))
		}
		y.Severities[r.field(1)] = sev
	case "text":
		if r.field(1) == "" || r.field(2) == "" || r.field(3) == "" {
			return r.fail("text needs a rule, Chinese and English")
		}
		y.Texts[r.field(1)] = [2]string{r.field(2), r.field(3)}
	default:
		in.addRule(r)
	}
	return nil
}

// addRule keeps a rule's record. The first one of an id in a file takes the
// place of all that earlier files said under that id.
func (in *reading) addRule(r record) {
	if id := r.field(1); !in.touched[id] {
		in.touched[id] = true
		in.draft.rules = slices.DeleteFunc(in.draft.rules, func(o record) bool { return o.field(1) == id })
	}
	in.draft.rules = append(in.draft.rules, r)
}

func addPrefix(y *Layout, r record) error {
	p := Prefix{Text: strings.ToLower(r.field(1)), Channel: upload.Channel(r.field(2))}
	if p.Text == "" || strings.ContainsAny(p.Text, `/\`) {
		return r.fail("prefix %q is not the beginning of a file name", r.field(1))
	}
	if !slices.Contains(y.Prefixes, p) {
		y.Prefixes = append(y.Prefixes, p)
	}
	return nil
}

// drop forgets a column or a rule of earlier files.
func (d *draft) drop(r record) error {
	id := r.field(1)
	before := len(d.rules)
	d.rules = slices.DeleteFunc(d.rules, func(o record) bool { return o.field(1) == id })
	if len(d.rules) < before {
		return nil
	}
	i, ok := d.layout.Column(id)
	if !ok {
		return r.fail("nothing to drop: no column and no rule %q", id)
	}
	d.layout.Columns = slices.Delete(d.layout.Columns, i, i+1)
	d.dicts = slices.Delete(d.dicts, i, i+1)
	d.layout.index()
	return nil
}

// index builds the look-up of columns by code.
func (l *Layout) index() {
	l.byCode = make(map[string]int, len(l.Columns))
	for i, c := range l.Columns {
		l.byCode[strings.ToUpper(c.Code)] = i
	}
}

// addColumn adds a column, or changes one of the same code in its place.
func (d *draft) addColumn(r record) error {
	c, err := parseColumn(r)
	if err != nil {
		return err
	}
	if i, ok := d.layout.Column(c.Code); ok {
		d.layout.Columns[i], d.dicts[i] = c, r.field(6)
		return nil
	}
	d.layout.byCode[strings.ToUpper(c.Code)] = len(d.layout.Columns)
	d.layout.Columns = append(d.layout.Columns, c)
	d.dicts = append(d.dicts, r.field(6))
	return nil
}

func parseColumn(r record) (Column, error) {
	c := Column{Code: r.field(1), Name: r.field(2), Type: Type(r.field(3)), Need: Need(r.field(5))}
	if c.Code == "" || c.Name == "" || strings.ContainsAny(c.Code, " *?,+<>=") {
		return c, r.fail("a column needs a code without blanks and signs, and a name")
	}
	if !slices.Contains([]Type{Text, Number, Date, DateTime, Set}, c.Type) {
		return c, r.fail("column %s: unknown type %q", c.Code, r.field(3))
	}
	if !slices.Contains([]Need{Required, Conditional, Optional}, c.Need) {
		return c, r.fail("column %s: required is Y, C or empty, not %q", c.Code, r.field(5))
	}
	if err := parseLength(&c, r); err != nil {
		return c, err
	}
	for _, mark := range strings.Fields(r.field(7)) {
		if err := applyMark(&c, mark, r); err != nil {
			return c, err
		}
	}
	return c, nil
}

func parseLength(c *Column, r record) error {
	whole, decimals, scaled := strings.Cut(r.field(4), ",")
	if whole == "" {
		return nil
	}
	var err error
	if c.Length, err = strconv.Atoi(whole); err != nil || c.Length < 1 || c.Length > 100_000 {
		return r.fail("column %s: length %q", c.Code, r.field(4))
	}
	if !scaled {
		return nil
	}
	if c.Scale, err = strconv.Atoi(decimals); err != nil || c.Scale < 0 || c.Scale > 4 || c.Scale >= c.Length || c.Type != Number {
		return r.fail("column %s: length %q: at most 4 decimals, of numbers only", c.Code, r.field(4))
	}
	return nil
}

func applyMark(c *Column, mark string, r record) error {
	name, value, valued := strings.Cut(mark, ":")
	switch {
	case mark == "key":
		c.Key = true
	case mark == "dash":
		c.Dash = true
	case mark == "personal":
		c.Personal = true
	case mark == string(ICD10), mark == string(ICD9), mark == string(Morphology):
		c.Coding = Coding(mark)
	case valued && name == "digits":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return r.fail("column %s: mark %q", c.Code, mark)
		}
		c.Digits = n
	case valued && (name == "min" || name == "max") && c.Type == Number:
		n, ok := ParseNumber(value)
		if !ok {
			return r.fail("column %s: mark %q", c.Code, mark)
		}
		if name == "min" {
			c.Min = &n
		} else {
			c.Max = &n
		}
	default:
		return r.fail("column %s: unknown mark %q", c.Code, mark)
	}
	return nil
}
