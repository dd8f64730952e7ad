package validate

import (
	"slices"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// ruleID numbers the rules of one check: those of this program first, then
// those of the layout.
type ruleID int

// The rules that hold for every kind of file.
const (
	fileEmpty ruleID = iota
	fileNoRows
	fileNUL
	fileBinary
	fileTruncated
	encBad
	encMojibake
	hdrUnknown
	hdrMissing
	hdrExtra
	hdrRepeated
	hdrTooMany
	rowFields
	rowLong
	rowQuote
	rowHeader
	rowEmpty
	rowDuplicate
	colRequired
	colDash
	colLength
	colNumber
	colRange
	colDigits
	colDate
	colDateOnly
	colDict
	colZero
	colScientific
	colFullWidth
	colICD10
	colMorphology
	colICD9
	colCodeList
	idForm
	idOld
	idCheck
	idBirth
	idSex
	builtinRules
)

type ruleInfo struct {
	id       string
	severity upload.Severity
	wide     bool          // concerns the file as a whole: with an error here no row is right
	form     standard.Form // of a rule of the layout
}

// builtin gives the rules in the order of their numbers.
func builtin() []ruleInfo {
	return []ruleInfo{
		fileEmpty:     {"FILE-EMPTY", upload.Fatal, true, ""},
		fileNoRows:    {"FILE-NO-ROWS", upload.Warning, true, ""},
		fileNUL:       {"FILE-NUL", upload.Fatal, true, ""},
		fileBinary:    {"FILE-BINARY", upload.Fatal, true, ""},
		fileTruncated: {"FILE-TRUNCATED", upload.Error, false, ""},
		encBad:        {"ENC-BAD", upload.Error, false, ""},
		encMojibake:   {"ENC-MOJIBAKE", upload.Warning, false, ""},
		hdrUnknown:    {"HDR-UNKNOWN", upload.Fatal, true, ""},
		hdrMissing:    {"HDR-MISSING", upload.Error, true, ""},
		hdrExtra:      {"HDR-EXTRA", upload.Warning, true, ""},
		hdrRepeated:   {"HDR-REPEATED", upload.Error, true, ""},
		hdrTooMany:    {"HDR-TOO-MANY", upload.Fatal, true, ""},
		rowFields:     {"ROW-FIELDS", upload.Error, false, ""},
		rowLong:       {"ROW-TOO-LONG", upload.Error, false, ""},
		rowQuote:      {"ROW-QUOTE", upload.Error, false, ""},
		rowHeader:     {"ROW-HEADER", upload.Error, false, ""},
		rowEmpty:      {"ROW-EMPTY", upload.Error, false, ""},
		rowDuplicate:  {"ROW-DUPLICATE", upload.Warning, false, ""},
		colRequired:   {"COL-REQUIRED", upload.Error, false, ""},
		colDash:       {"COL-DASH", upload.Warning, false, ""},
		colLength:     {"COL-LENGTH", upload.Error, false, ""},
		colNumber:     {"COL-NUMBER", upload.Error, false, ""},
		colRange:      {"COL-RANGE", upload.Error, false, ""},
		colDigits:     {"COL-DIGITS", upload.Error, false, ""},
		colDate:       {"COL-DATE", upload.Error, false, ""},
		colDateOnly:   {"COL-DATE-ONLY", upload.Warning, false, ""},
		colDict:       {"COL-DICT", upload.Error, false, ""},
		colZero:       {"COL-LEADING-ZERO", upload.Error, false, ""},
		colScientific: {"COL-SCIENTIFIC", upload.Error, false, ""},
		colFullWidth:  {"COL-FULL-WIDTH", upload.Error, false, ""},
		colICD10:      {"COL-ICD10", upload.Warning, false, ""},
		colMorphology: {"COL-MORPHOLOGY", upload.Warning, false, ""},
		colICD9:       {"COL-ICD9", upload.Warning, false, ""},
		colCodeList:   {"COL-CODE-LIST", upload.Warning, false, ""},
		idForm:        {"ID-FORM", upload.Error, false, ""},
		idOld:         {"ID-OLD", upload.Warning, false, ""},
		idCheck:       {"ID-CHECK", upload.Error, false, ""},
		idBirth:       {"ID-BIRTH", upload.Warning, false, ""},
		idSex:         {"ID-SEX", upload.Warning, false, ""},
	}
}

// rulebook is every rule of one check with the severity it has there.
type rulebook struct {
	rules []ruleInfo
	by    map[string]ruleID
}

// newRulebook applies the severities of the layout and then the operator's.
// Without a layout it knows the rules of this program alone.
func newRulebook(l *standard.Layout, override map[string]upload.Severity) *rulebook {
	b := &rulebook{rules: builtin(), by: map[string]ruleID{}}
	for i, r := range b.rules {
		b.by[r.id] = ruleID(i)
	}
	if l != nil {
		for _, r := range l.Rules {
			if _, ok := b.by[r.ID]; !ok && r.Form != standard.FormIdentity {
				b.by[r.ID] = ruleID(len(b.rules))
				b.rules = append(b.rules, ruleInfo{id: r.ID, severity: r.Severity, form: r.Form})
			}
		}
		b.set(l.Severities)
	}
	b.set(override)
	return b
}

func (b *rulebook) set(severities map[string]upload.Severity) {
	for id, sev := range severities {
		if i, ok := b.by[id]; ok {
			b.rules[i].severity = sev
		}
	}
}

func (b *rulebook) off(id ruleID) bool { return b.rules[id].severity == standard.Off }

// Rule is one rule as a listing shows it.
type Rule struct {
	ID        string
	Severity  upload.Severity
	Kinds     []upload.Kind // empty: every kind
	Standards []string      // empty: every standard
	Columns   []string      // of the first layout that has it; empty: any
	Expected  string        // as the standard's file writes it; empty for the rules of this program
	Form      standard.Form // empty for the rules of this program
	TextZH    string        // of a mounted standard; else empty, the words are in the catalogue
	TextEN    string
}

// Rules lists every rule, those of this program first, then those of the
// layouts of kind (empty: all kinds), by id.
func Rules(lib *standard.Library, kind upload.Kind) []Rule {
	var all []Rule
	for _, r := range builtin() {
		all = append(all, Rule{ID: r.id, Severity: r.severity})
	}
	own := len(all)
	for _, l := range lib.Layouts("", kind) {
		for _, r := range l.Rules {
			if r.Form != standard.FormIdentity {
				all = addRule(all, own, l, r)
			}
		}
	}
	slices.SortStableFunc(all[own:], func(a, b Rule) int { return compareText(a.ID, b.ID) })
	return all
}

func addRule(all []Rule, own int, l *standard.Layout, r standard.Rule) []Rule {
	i := slices.IndexFunc(all[own:], func(x Rule) bool { return x.ID == r.ID })
	if i < 0 {
		all = append(all, Rule{ID: r.ID, Severity: severityOf(l, r), Expected: r.Text, Form: r.Form, TextZH: l.Texts[r.ID][0], TextEN: l.Texts[r.ID][1]})
		i = len(all) - 1 - own
	}
	x := &all[own+i]
	if !slices.Contains(x.Kinds, l.Kind) {
		x.Kinds = append(x.Kinds, l.Kind)
	}
	if !slices.Contains(x.Standards, l.Standard) {
		x.Standards = append(x.Standards, l.Standard)
	}
	if x.Standards[0] == l.Standard {
		for _, c := range r.Targets {
			if code := l.Columns[c].Code; !slices.Contains(x.Columns, code) {
				x.Columns = append(x.Columns, code)
			}
		}
	}
	return all
}

func severityOf(l *standard.Layout, r standard.Rule) upload.Severity {
	if s, ok := l.Severities[r.ID]; ok {
		return s
	}
	return r.Severity
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
