package report

import (
	"maps"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Text says what is wrong: by the catalogue; else, for a rule of a mounted
// standard, by the words that came with it or by what its form means.
func Text(lang phrase.Lang, f upload.Finding) string {
	params := map[string]string{"name": f.Column, "column": f.Column}
	maps.Copy(params, f.Params)
	switch {
	case phrase.Has("rule." + f.Rule):
		return phrase.Text(lang, "rule."+f.Rule, params)
	case f.Params[string(lang)] != "":
		return f.Params[string(lang)]
	case phrase.Has("form." + f.Params["form"]):
		return phrase.Text(lang, "form."+f.Params["form"], params)
	default:
		return f.Rule
	}
}

// Remedy says what to do about a rule; empty if there is nothing to say.
func Remedy(lang phrase.Lang, rule string) string {
	if id := "fix." + rule; phrase.Has(id) {
		return phrase.Text(lang, id, nil)
	}
	return ""
}
