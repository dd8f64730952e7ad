package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
)

// RuleText says what a rule asks for, with no particular finding in mind.
func RuleText(lang phrase.Lang, r validate.Rule) string {
	column := phrase.Text(lang, "report.column", nil)
	if len(r.Columns) == 1 {
		column = r.Columns[0]
	}
	return Text(lang, upload.Finding{Rule: r.ID, Params: map[string]string{
		"name": column, "column": column, "expected": orDots(r.Expected), "charset": "UTF-8/GB18030", "form": string(r.Form),
		"n": "n", "limit": "m", "first": "n", "found": "…", "columns": "…", "zh": r.TextZH, "en": r.TextEN,
	}})
}

func orDots(s string) string {
	if s == "" {
		return "…"
	}
	return s
}

// WriteRules lists rules for a terminal.
func WriteRules(w io.Writer, lang phrase.Lang, rules []validate.Rule) error {
	b := bufio.NewWriter(w)
	for _, r := range rules {
		kinds := "*"
		if len(r.Kinds) > 0 {
			kinds = joined(r.Kinds)
		}
		fmt.Fprintf(b, "%-22s %-8s %-5s %s\n", r.ID, r.Severity, kinds, RuleText(lang, r))
	}
	return b.Flush()
}

// WriteRulesJSON lists rules for programs.
func WriteRulesJSON(w io.Writer, rules []validate.Rule) error {
	type item struct {
		ID        string          `json:"id"`
		Severity  upload.Severity `json:"severity"`
		Kinds     []upload.Kind   `json:"kinds,omitempty"`
		Standards []string        `json:"standards,omitempty"`
		Columns   []string        `json:"columns,omitempty"`
		Expected  string          `json:"expected,omitempty"`
		Text      Words           `json:"text"`
		Remedy    Words           `json:"remedy"`
	}
	items := make([]item, 0, len(rules))
	for _, r := range rules {
		items = append(items, item{
			r.ID, r.Severity, r.Kinds, r.Standards, r.Columns, r.Expected,
			Words{RuleText(phrase.Chinese, r), RuleText(phrase.English, r)},
			Words{Remedy(phrase.Chinese, r.ID), Remedy(phrase.English, r.ID)},
		})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(items); err != nil {
		return fmt.Errorf("write rules: %w", err)
	}
	return nil
}

// WriteRulesMarkdown writes docs/rules.md.
func WriteRulesMarkdown(w io.Writer, lib *standard.Library) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "# Rules of the checks\n\n<!-- Generated from the standards and the phrase catalogue; a test compares. Renew it with:\n"+
		"     go test ./internal/validate/report -run RulesDocument -update -->\n\n"+
		"Severities are the defaults; a mounted standard changes them (see [standards.md](standards.md)). `BLOCK_ON` decides from which one a file is held back.\n\n"+
		"| rule | severity | kinds | columns | expected | 说明 | text | 处理 | remedy |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range validate.Rules(lib, "") {
		kinds := "all"
		if len(r.Kinds) > 0 {
			kinds = joined(r.Kinds)
		}
		cells := []string{
			"`" + r.ID + "`", string(r.Severity), kinds, short(r.Columns), code(r.Expected), RuleText(phrase.Chinese, r), RuleText(phrase.English, r),
			Remedy(phrase.Chinese, r.ID), Remedy(phrase.English, r.ID),
		}
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", "\\|")
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.Flush()
}

func joined(kinds []upload.Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ",")
}

// short names the first columns of many.
func short(columns []string) string {
	if len(columns) > 6 {
		return strings.Join(columns[:6], " ") + " …"
	}
	return strings.Join(columns, " ")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
