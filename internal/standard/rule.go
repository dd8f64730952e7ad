package standard

import "github.com/hqms-sidecar/hqms-sidecar/internal/upload"

// Form is what a rule does; each form has one shape in the data files.
type Form string

// The forms.
const (
	FormRequire  Form = "require"  // Targets must be filled when When holds
	FormEmpty    Form = "empty"    // Targets must be empty when When holds
	FormOrder    Form = "order"    // dates of Low ≤ each of Targets ≤ High
	FormDays     Form = "days"     // Targets[0] = days from Low to High, at least 1
	FormCompare  Form = "compare"  // Left Op Right, sums of numbers
	FormUnique   Form = "unique"   // Targets[0] occurs once in the file
	FormIdentity Form = "identity" // Targets[0] is a resident identity number
	FormLink     Form = "link"     // a row of the same Targets exists in a file of kind To
)

// Rule is one rule across columns, rows or files. Columns are positions in the
// layout's Columns. Several rules may share an ID: they are one rule to those
// who read findings.
type Rule struct {
	ID       string
	Form     Form
	Severity upload.Severity
	Targets  []int
	When     Condition // nil: always
	Low      Moment    // order, days
	High     Moment    // order, days
	Left     Sum       // compare
	Right    Sum
	Op       string // compare: > >= <= = <
	Birth    int    // identity: column of the birth date; -1: none
	Sex      int    // identity: column of the sex; -1: none
	To       upload.Kind
	Text     string // as written: the expected form, for listings and findings
}

// Moment is one end of an order: a date column moved by days, or now.
type Moment struct {
	Column int // -1: none, or now
	Days   int
	Now    bool
}

// None reports whether there is no such end.
func (m Moment) None() bool { return m.Column < 0 && !m.Now }

// Sum is a sum of number columns and a constant in 10,000th parts.
type Sum struct {
	Columns  []int
	Constant int64
}

// Condition holds when all tests of one of its groups hold.
type Condition [][]Test

// TestOp is what a test asks.
type TestOp string

// The tests. With several columns a test asks whether it holds for any of them.
const (
	OpIn        TestOp = "in"         // the value is one of Values
	OpNot       TestOp = "not"        // it is none of them
	OpStarts    TestOp = "starts"     // it starts with one of Values, or with one of a range A00..B99
	OpNotStarts TestOp = "not-starts" //
	OpEmpty     TestOp = "empty"      //
	OpFilled    TestOp = "filled"     //
	OpLess      TestOp = "<"          // it is a number, and so compared to Limit
	OpAtMost    TestOp = "<="         //
	OpMore      TestOp = ">"          //
	OpAtLeast   TestOp = ">="         //
	OpEquals    TestOp = "="          // the same number if both are numbers, else the same text
)

// Test is one question to the columns of a row.
type Test struct {
	Columns []int
	Op      TestOp
	Values  []string
	Limit   int64 // 10,000th parts
}
