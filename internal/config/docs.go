package config

import (
	"fmt"
	"io"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

//go:generate go test -run ^TestDocumentationIsGenerated$ . -update

// WriteDocs writes the reference of every variable, as docs/configuration.md
// and docs/configuration.zh-CN.md hold it.
func WriteDocs(w io.Writer, lang phrase.Lang) error {
	text := func(id string) string { return phrase.Text(lang, "config.docs."+id, nil) }
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- generated from internal/config; do not edit: make generate -->\n\n# %s\n\n%s\n", text("title"), text("intro"))
	all := fields()
	section(&b, lang, "general", all, func(f field) bool { return f.prefix == "" && !strings.HasPrefix(f.name, "HQMS_") })
	section(&b, lang, "channel", all, func(f field) bool { return f.prefix == "HQMS_" })
	section(&b, lang, "hqms", all, func(f field) bool { return f.prefix == "" && strings.HasPrefix(f.name, "HQMS_") })
	for _, id := range []string{"standard", "secrets", "unknown"} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", text(id), text(id+".text"))
	}
	fmt.Fprintf(&b, "\n%s\n", text("later")+": `"+strings.Join(later(), "`, `")+"`.")
	_, err := io.WriteString(w, b.String())
	return err
}

func section(b *strings.Builder, lang phrase.Lang, id string, all []field, in func(field) bool) {
	text := func(id string) string { return phrase.Text(lang, "config.docs."+id, nil) }
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| %s | %s | %s | %s |\n| --- | --- | --- | --- |\n",
		text(id), text(id+".text"), text("variable"), text("default"), text("values"), text("meaning"))
	for _, f := range all {
		if !in(f) {
			continue
		}
		name := f.name
		if f.prefix != "" {
			name = "…_" + f.own
		}
		name = "`" + name + "`"
		if f.secret() {
			name += ", `" + strings.Trim(name, "`") + "_FILE`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, defaultCell(f), valuesCell(f, text), cell(phrase.Text(lang, f.meaning(), nil)))
	}
}

func defaultCell(f field) string {
	switch {
	case f.typ.Name() == "URL" && f.prefix != "":
		return "`" + defaultServer(channelOf("HQMS_")).String() + "`, `" + defaultServer(channelOf("FLU_")).String() + "`"
	case f.def == "":
		return "–"
	default:
		return "`" + f.def + "`"
	}
}

// valuesCell says what may be given: the choices, or the form and its bounds.
func valuesCell(f field, text func(string) string) string {
	if choices := f.choices(); choices != nil {
		return "`" + strings.Join(choices, "` `") + "`"
	}
	form := text("form." + f.formName())
	low, high := f.tag.Get("min"), f.tag.Get("max")
	switch {
	case low != "" && high != "":
		return form + " `" + low + "`–`" + high + "`"
	case low != "":
		return form + " ≥ `" + low + "`"
	default:
		return form
	}
}

// formName names the form of a variable that is no enumeration.
func (f field) formName() string {
	for _, tag := range []string{"path", "form"} {
		if v := f.tag.Get(tag); v != "" {
			return v
		}
	}
	return strings.ToLower(f.typ.Name())
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
