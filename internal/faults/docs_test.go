package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// document is docs/faults.md in one language.
func document(lang phrase.Lang, cells []*outcome) string {
	text := func(id string) string { return phrase.Text(lang, "faults."+id, nil) }
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- generated from the runs in internal/faults; do not edit: make generate -->\n\n# %s\n\n%s\n\n%s\n\n%s\n\n%s\n",
		text("docs.title"), otherLanguage(lang), text("docs.intro"), text("docs.promise"), text("docs.columns"))
	pauses, reasons := map[pause]bool{}, map[upload.Reason]bool{}
	for _, s := range steps() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", text("step."+string(s)), text("step."+string(s)+".text"))
		row(&b, text("docs.fault"), text("docs.state"), text("docs.attempt"), text("docs.next"), text("docs.reason"), text("docs.log"), text("docs.channel"), text("docs.end"))
		row(&b, slices.Repeat([]string{"---"}, 8)...)
		for _, c := range cells {
			if c.step == s {
				c.write(&b, lang)
				pauses[c.next], reasons[c.reason] = true, true
			}
		}
	}
	fmt.Fprintf(&b, "\n## %s\n\n", text("docs.pauses"))
	for _, p := range slices.Sorted(maps.Keys(pauses)) {
		fmt.Fprintf(&b, "- **%s** %s\n", p, text("pause."+string(p)))
	}
	fmt.Fprintf(&b, "\n## %s\n\n", text("docs.reasons"))
	row(&b, text("docs.reason"), text("docs.meaning"), text("docs.remedy"))
	row(&b, "---", "---", "---")
	for _, r := range upload.Reasons() {
		if reasons[r] {
			row(&b, code(string(r)), phrase.Text(lang, "reason."+string(r), nil), remedy(lang, r))
		}
	}
	return b.String()
}

func otherLanguage(lang phrase.Lang) string {
	if lang == phrase.English {
		return "[中文](faults.zh-CN.md)"
	}
	return "[English](faults.md)"
}

func (c *outcome) write(b *strings.Builder, lang phrase.Lang) {
	end := code(string(c.verdict)) + " " + phrase.Text(lang, "faults.docs.sent", map[string]string{
		"bodies": fmt.Sprint(c.bodies), "accepted": fmt.Sprint(c.accepted),
	})
	row(b, phrase.Text(lang, "faults."+c.fault.id, c.fault.params), code(string(c.state)), fmt.Sprint(c.attempt), string(c.next),
		code(string(c.reason)), strings.ToLower(c.level.String()), code(string(c.channel)), end)
}

func remedy(lang phrase.Lang, r upload.Reason) string {
	if id := "remedy." + string(r); phrase.Has(id) {
		return phrase.Text(lang, id, nil)
	}
	return "–"
}

func row(b *strings.Builder, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

func code(s string) string {
	if s == "" {
		return "–"
	}
	return "`" + s + "`"
}
