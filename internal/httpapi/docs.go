package httpapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

//go:embed docs.html
var docsPage string

// docsOperation is an operation as the documentation shows it.
type docsOperation struct {
	Method, Path string
	Op           *openapi3.Operation
	Summary      string
	Says         string // its description
	Who          string // anybody, viewer, operator
	Curl         string
	Parameters   []docsParameter
	Body         openapi3.Content
	Answers      []docsAnswer
}

type docsParameter struct {
	*openapi3.Parameter
	Says string
}

type docsAnswer struct {
	Code, Text string
	Forms      openapi3.Content
}

type docsSchema struct {
	Name    string
	Says    string
	Schema  *openapi3.Schema
	Members []docsMember
}

type docsMember struct {
	Name   string
	Says   string
	Schema *openapi3.SchemaRef
}

// told is a text of the document in a language: the document is English, and has
// the Chinese beside it, under x-description-zh and x-summary-zh.
func told(lang phrase.Lang, key, english string, beside map[string]any) string {
	if chinese, ok := beside["x-"+key+"-zh"].(string); ok && lang == phrase.Chinese {
		return chinese
	}
	return english
}

// renderDocs makes the page of the documentation in a language out of the document itself. It
// is made here and not in the browser: nothing to fetch, nothing to run, and no
// viewer of a megabyte to keep up to date.
func renderDocs(spec *openapi3.T, lang phrase.Lang) ([]byte, error) {
	words := map[string]string{}
	for _, id := range phrase.IDs("docs.") {
		words[strings.TrimPrefix(id, "docs.")] = phrase.Text(lang, id, nil)
	}
	t, err := template.New("docs").Funcs(template.FuncMap{"prose": prose, "shape": shape}).Parse(docsPage)
	if err != nil {
		return nil, fmt.Errorf("page of the documentation: %w", err)
	}
	var page bytes.Buffer
	err = t.Execute(&page, map[string]any{
		"Lang": lang, "Words": words, "Says": told(lang, "description", spec.Info.Description, spec.Info.Extensions),
		"Calls": docsOperations(spec, lang), "Schemas": docsSchemas(spec, lang),
	})
	return page.Bytes(), err
}

func docsOperations(spec *openapi3.T, lang phrase.Lang) []docsOperation {
	var all []docsOperation
	for _, path := range spec.Paths.InMatchingOrder() {
		item := spec.Paths.Value(path)
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			op := item.Operations()[method]
			d := docsOperation{
				Method: method, Path: path, Op: op,
				Summary: told(lang, "summary", op.Summary, op.Extensions), Says: told(lang, "description", op.Description, op.Extensions),
				Who: []string{"anybody", "viewer", "viewer", "operator"}[accessOf(*op.Security)],
			}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				d.Parameters = append(d.Parameters, docsParameter{p.Value, told(lang, "description", p.Value.Description, p.Value.Extensions)})
			}
			if op.RequestBody != nil {
				d.Body = op.RequestBody.Value.Content
			}
			for _, code := range slices.Sorted(maps.Keys(op.Responses.Map())) {
				r := op.Responses.Value(code).Value
				d.Answers = append(d.Answers, docsAnswer{code, told(lang, "description", *r.Description, r.Extensions), r.Content})
			}
			d.Curl = curl(d)
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b docsOperation) int { return strings.Compare(a.Op.Tags[0]+a.Path, b.Op.Tags[0]+b.Path) })
	return all
}

// curl is an example of the call, for a shell that has API and TOKEN and, where
// they are needed, the ids of an upload and of an alert. What the document says
// under x-curl goes before what can be guessed.
func curl(d docsOperation) string {
	line := []string{"curl -fsS"}
	if d.Method != http.MethodGet {
		line = append(line, "-X "+d.Method)
	}
	if d.Who != "anybody" {
		line = append(line, `-H "Authorization: Bearer $TOKEN"`)
	}
	if own, ok := d.Op.Extensions["x-curl"].(string); ok {
		line = append(line, own)
	} else if form := d.Body["application/json"]; form != nil {
		line = append(line, `-H "Content-Type: application/json" -d '`+bodyOf(form)+`'`)
	}
	address := d.Path
	query := url.Values{}
	for _, p := range d.Parameters {
		switch {
		case p.In == openapi3.ParameterInPath:
			address = strings.ReplaceAll(address, "{"+p.Name+"}", pathExample(d.Path, p.Parameter))
		case p.In == openapi3.ParameterInQuery && p.Required:
			query.Set(p.Name, fmt.Sprint(example(p.Parameter)))
		}
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return strings.Join(append(line, `"$API`+address+`"`), " ")
}

func pathExample(path string, p *openapi3.Parameter) string {
	switch {
	case p.Name == "id" && strings.HasPrefix(path, "/alerts"):
		return "$ALERT"
	case p.Name == "id":
		return "$UPLOAD"
	default:
		return fmt.Sprint(example(p))
	}
}

func example(p *openapi3.Parameter) any {
	if p.Example != nil {
		return p.Example
	}
	return p.Schema.Value.Example
}

// bodyOf is the first example of a body, by name.
func bodyOf(form *openapi3.MediaType) string {
	for _, name := range slices.Sorted(maps.Keys(form.Examples)) {
		if b, err := json.Marshal(form.Examples[name].Value.Value); err == nil {
			return string(b)
		}
	}
	return "{}"
}

func docsSchemas(spec *openapi3.T, lang phrase.Lang) []docsSchema {
	var all []docsSchema
	for _, name := range slices.Sorted(maps.Keys(spec.Components.Schemas)) {
		v := spec.Components.Schemas[name].Value
		s := docsSchema{Name: name, Says: told(lang, "description", v.Description, v.Extensions), Schema: v}
		for _, part := range append([]*openapi3.SchemaRef{{Value: s.Schema}}, s.Schema.AllOf...) {
			for _, member := range slices.Sorted(maps.Keys(part.Value.Properties)) {
				m := part.Value.Properties[member]
				s.Members = append(s.Members, docsMember{member, told(lang, "description", m.Value.Description, m.Value.Extensions), m})
			}
		}
		all = append(all, s)
	}
	return all
}

// shape says of what kind a value is, with a link where it has a name.
func shape(s *openapi3.SchemaRef) template.HTML {
	if s == nil || s.Value == nil {
		return ""
	}
	v, text := s.Value, ""
	switch {
	case s.Ref != "":
		name := template.HTMLEscapeString(s.Ref[strings.LastIndex(s.Ref, "/")+1:])
		text = `<a href="#` + name + `">` + name + `</a>`
	case v.Type != nil && v.Type.Is("array"):
		text = "[ " + string(shape(v.Items)) + " ]"
	case len(v.AllOf) > 0:
		text = string(shape(v.AllOf[0]))
	case v.Type != nil:
		text = template.HTMLEscapeString(strings.Join(v.Type.Slice(), ", ") + " " + v.Format)
	}
	for _, e := range v.Enum {
		if s.Ref == "" {
			text += " <code>" + template.HTMLEscapeString(fmt.Sprint(e)) + "</code>"
		}
	}
	if v.Default != nil {
		text += " = <code>" + template.HTMLEscapeString(fmt.Sprint(v.Default)) + "</code>"
	}
	if v.Nullable {
		text += ", null"
	}
	return template.HTML(text) //nolint:gosec // every part is escaped, and is of our own document
}

var (
	proseCode = regexp.MustCompile("`([^`]+)`")
	proseBold = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

// prose makes paragraphs, code and bold of what little Markdown the document has.
func prose(text string) template.HTML {
	var b strings.Builder
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if paragraph == "" {
			continue
		}
		p := proseCode.ReplaceAllString(template.HTMLEscapeString(paragraph), "<code>$1</code>")
		b.WriteString("<p>" + proseBold.ReplaceAllString(p, "<strong>$1</strong>") + "</p>")
	}
	return template.HTML(b.String()) //nolint:gosec // it was escaped first
}
