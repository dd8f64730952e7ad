package standard

import (
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Type is the declared type of a column.
type Type string

// The types.
const (
	Text     Type = "C"
	Number   Type = "N"
	Date     Type = "D"
	DateTime Type = "DT"
	Set      Type = "SET" // several codes joined by commas inside one field
)

// Need says whether a column must be filled.
type Need string

// The needs.
const (
	Required    Need = "Y"
	Conditional Need = "C" // a rule says when
	Optional    Need = ""
)

// Coding names the code system a text column is written in.
type Coding string

// The codings.
const (
	NoCoding   Coding = ""
	ICD10      Coding = "icd10"      // diagnoses and external causes
	Morphology Coding = "morphology" // tumour morphology
	ICD9       Coding = "icd9"       // operations, ICD-9-CM-3
)

// Column is one column of a layout.
type Column struct {
	Code       string
	Name       string // 数据采集项
	Type       Type
	Length     int // characters, or digits of a number; 0: no limit
	Scale      int // decimals of a number
	Need       Need
	Dictionary *Dictionary // nil: any value
	Coding     Coding
	Digits     int    // exactly so many ASCII digits; 0: not so
	Min, Max   *int64 // bounds of a number, in its 10,000th parts; nil: none
	Key        bool   // identifies the record: "-" is no value here
	Dash       bool   // "-" (not available) is a value like another
	Personal   bool   // of a person: not even the shape of a value is shown
}

// Dictionary is a closed list of codes.
type Dictionary struct {
	Name  string
	Title string
	Codes map[string]string // code → meaning
	Open  bool              // the codes are not known: every value passes
}

// Has reports whether code is in the dictionary, or the dictionary is open.
func (d *Dictionary) Has(code []byte) bool {
	if d.Open {
		return true
	}
	_, ok := d.Codes[string(code)]
	return ok
}

// Standard is one folder: a title and its dictionaries.
type Standard struct {
	ID           string
	TitleZH      string
	TitleEN      string
	Base         string // where dictionaries not defined here are looked up
	Dictionaries map[string]*Dictionary
}

// Prefix is a beginning of file names, lower case; on Channel only, unless empty.
type Prefix struct {
	Text    string
	Channel upload.Channel
}

// Layout is one kind of file in one standard.
type Layout struct {
	Standard   string
	Kind       upload.Kind
	TitleZH    string
	TitleEN    string
	Channels   []upload.Channel
	Prefixes   []Prefix
	Columns    []Column
	Rules      []Rule
	Severities map[string]upload.Severity // by rule id; Off: the rule is not applied
	Texts      map[string][2]string       // by rule id: Chinese, English; for rules of mounted files

	byCode map[string]int
	lists  map[string]*Dictionary
}

// Off as a rule's severity means that the rule is not applied.
const Off upload.Severity = "off"

// Column finds a column by its code, without regard to case.
func (l *Layout) Column(code string) (int, bool) {
	i, ok := l.byCode[strings.ToUpper(code)]
	return i, ok
}

// List finds a code list by name: a dictionary that no column names, such as
// a hospital's own list of ICD codes ("icd10-national"). Nil if there is none.
func (l *Layout) List(name string) *Dictionary { return l.lists[name] }

// On reports whether files of this layout are taken on channel.
func (l *Layout) On(channel upload.Channel) bool {
	for _, c := range l.Channels {
		if c == channel {
			return true
		}
	}
	return false
}

// names gives the length of the prefix that makes filename one of this
// layout's on channel; 0 if none does.
func (l *Layout) names(channel upload.Channel, filename string) int {
	longest := 0
	for _, p := range l.Prefixes {
		if p.Channel != "" && p.Channel != channel {
			continue
		}
		if len(p.Text) > longest && strings.HasPrefix(filename, p.Text) {
			longest = len(p.Text)
		}
	}
	return longest
}
