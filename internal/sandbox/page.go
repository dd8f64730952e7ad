package sandbox

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS []byte

// pageLimit is how many deliveries the page shows, the newest first.
const pageLimit = 200

type pageData struct {
	Channel upload.Channel
	Items   []Arrival
	Total   int
	Counts  Counts
	Faults  []Fault
	One     *Arrival
}

// template.Must cannot fail in a release: a test renders the page.
func pageTemplate() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"beijing": beijing,
		"status":  statusText,
		"text": func(lang string, f upload.Finding) string {
			return findingWords(phrase.Lang(lang), f)
		},
		"digest": func(d string) string { return strings.TrimPrefix(d, "sha-256:") },
	}).Parse(pageHTML))
}

// statusText is a status in words, Chinese and English.
func statusText(s Status) string {
	words := []string{
		"排队 queued", "解压 unpacking", "检查 checking", "入库 saving", "完成 done", "失败 failed", "重复 duplicate",
	}
	if s < 0 || int(s) >= len(words) {
		return "?"
	}
	return words[s]
}

func pageStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(pageCSS)
}

// page lists what has arrived. It shows counts, names and digests; no cell of
// any file.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	rep := s.Report()
	data := pageData{Channel: channelOf(r.URL.Path), Counts: rep.Counts, Faults: s.Faults()}
	for _, a := range slices.Backward(rep.Items) {
		if data.Channel != "" && a.Channel != data.Channel {
			continue
		}
		if data.Total++; data.Total <= pageLimit {
			data.Items = append(data.Items, a)
		}
	}
	s.render(w, data)
}

// showOne shows one delivery: as a page to a browser, else as JSON.
func (s *Server) showOne(w http.ResponseWriter, r *http.Request, a Arrival) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeJSON(w, http.StatusOK, a)
		return
	}
	s.render(w, pageData{One: &a})
}

func (s *Server) render(w http.ResponseWriter, data pageData) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if err := pageTemplate().Execute(w, data); err != nil {
		s.opts.Logger.Warn("cannot render the page", "error", err)
	}
}

// summary is the first findings in words, for errormsg.
func summary(findings []upload.Finding) string {
	const shown = 3
	var parts []string
	for _, f := range findings {
		if f.Severity == upload.Warning {
			continue
		}
		if len(parts) == shown {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, where(f)+findingWords(phrase.Chinese, f))
	}
	return strings.Join(parts, "；")
}

// where names a finding's place, for a text in Chinese.
func where(f upload.Finding) string {
	switch {
	case f.Row > 0 && f.Column != "":
		return fmt.Sprintf("第 %d 行 %s：", f.Row, f.Column)
	case f.Row > 0:
		return fmt.Sprintf("第 %d 行：", f.Row)
	default:
		return ""
	}
}
