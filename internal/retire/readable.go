package retire

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// readable is <name>.result.txt: Chinese, then English; with BOM and CR LF so
// that every editor on Windows shows it right.
func (x result) readable() []byte {
	var b bytes.Buffer
	b.WriteString("\uFEFF")
	for i, lang := range phrase.Langs() {
		if i > 0 {
			b.WriteString("\n----------------------------------------\n\n")
		}
		sheet{&b, lang}.write(x)
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n"))
}

// sheet is the text in one language.
type sheet struct {
	b    *bytes.Buffer
	lang phrase.Lang
}

func (s sheet) say(id string, params map[string]string) string {
	return phrase.Text(s.lang, "result."+id, params)
}

func (s sheet) pick(w *words) string {
	switch {
	case w == nil:
		return ""
	case s.lang == phrase.Chinese:
		return w.Chinese
	default:
		return w.English
	}
}

// line writes "name: value", or nothing if there is no value.
func (s sheet) line(id, value string) {
	if value == "" {
		return
	}
	colon := ": "
	if s.lang == phrase.Chinese {
		colon = "："
	}
	fmt.Fprintf(s.b, "%s%s%s\n", s.say(id, nil), colon, value)
}

func (s sheet) write(x result) {
	fmt.Fprintf(s.b, "%s\n\n", s.say("title", nil))
	s.line("file", x.Filename)
	s.line("channel", string(x.Channel))
	s.line("kind", string(x.Kind))
	s.line("state", string(x.State))
	s.line("verdict", s.say("verdict."+string(x.Verdict), nil))
	s.line("reason", s.pick(x.Why))
	s.line("remedy", s.pick(x.Remedy))
	s.line("detail", x.Detail)
	s.line("rows", strconv.FormatInt(x.Rows, 10))
	s.line("size", strconv.FormatInt(x.Size, 10))
	s.line("charset", x.Charset)
	s.line("standard", x.Standard)
	s.line("digest", x.Digest)
	s.line("upload", string(x.ID))
	if x.SentAt != nil {
		s.line("sent_at", x.SentAt.Format(time.RFC3339))
	}
	if x.Receipt != nil {
		s.receipt(*x.Receipt)
	}
	s.findings(x)
}

func (s sheet) receipt(r upload.Receipt) {
	fmt.Fprintf(s.b, "\n%s\n", s.say("receipt", nil))
	s.line("status", r.Status)
	s.line("code", r.Code)
	s.line("message", r.Message)
	s.line("loaded_at", r.LoadedAt)
	if r.Grades == nil {
		return
	}
	for _, g := range []struct {
		id string
		n  int64
	}{
		{"grade.total", r.Grades.Total},
		{"grade.stocked", r.Grades.Stocked},
		{"grade.below", r.Grades.Below},
		{"grade.storing", r.Grades.Storing},
		{"grade.technical", r.Grades.Technical},
		{"grade.interface", r.Grades.Interface},
		{"grade.package", r.Grades.Grade},
	} {
		s.line(g.id, strconv.FormatInt(g.n, 10))
	}
}

func (s sheet) findings(x result) {
	fmt.Fprintf(s.b, "\n%s\n", s.say("findings", nil))
	if len(x.Findings) == 0 && x.Omitted == 0 {
		fmt.Fprintf(s.b, "%s\n", s.say("findings.none", nil))
	}
	for _, f := range x.Findings {
		fmt.Fprintf(s.b, "[%s] %s: %s (%s)\n", s.say("severity."+string(f.Severity), nil), s.where(f.Finding), s.pick(&f.Text), f.Rule)
	}
	if x.Omitted > 0 {
		fmt.Fprintf(s.b, "%s\n", s.say("findings.more", map[string]string{"n": strconv.FormatInt(x.Omitted, 10)}))
	}
}

func (s sheet) where(f upload.Finding) string {
	var parts []string
	if f.Row > 0 {
		parts = append(parts, s.say("row", map[string]string{"n": strconv.FormatInt(f.Row, 10)}))
	}
	if f.Column != "" {
		parts = append(parts, s.say("column", map[string]string{"name": f.Column}))
	}
	if len(parts) == 0 {
		return s.say("whole_file", nil)
	}
	return strings.Join(parts, " ")
}
