package sheet

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// starts begin a formula, in the forms in which spreadsheets accept them: ASCII,
// full-width and small.
const starts = "=+-@＝＋－＠﹦﹢﹣﹫−"

// negative is what begins as a formula may and is a number all the same.
var negative = regexp.MustCompile(`^-[0-9]{1,15}(\.[0-9]{1,15})?$`)

// Cell keeps a spreadsheet from taking text for a formula: an apostrophe before
// it says that it is text. What is blank, or not to be seen, before the formula
// does not hide it. A plain negative number stays one.
func Cell(text string) string {
	if negative.MatchString(text) {
		return text
	}
	if first, _ := utf8.DecodeRuneInString(text); first == '\t' || first == '\r' || first == '\n' {
		return "'" + text
	}
	rest := strings.TrimLeftFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
	if first, _ := utf8.DecodeRuneInString(rest); rest != "" && strings.ContainsRune(starts, first) {
		return "'" + text
	}
	return text
}

// Write writes the rows as CSV, each cell made safe by Cell.
func Write(w io.Writer, rows [][]string) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, text := range row {
			safe[i] = Cell(text)
		}
		if err := out.Write(safe); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
