package statement

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/reconcile"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var (
	//go:embed statement.html
	page string
	//go:embed style.css
	style string
)

// Statement is what is written of a month.
type Statement struct {
	Lang     phrase.Lang
	Month    string         // 2006-01
	Channel  upload.Channel // empty: all
	Version  string         // of the program
	MadeAt   time.Time
	Zone     *time.Location
	ZoneName string

	Kinds []*reconcile.Item // of the month, by channel and kind
	Files []*reconcile.Item // by file
	Total *reconcile.Sum
	Late  []calendar.Expectation // expected files that did not come
}

// Policy is the Content-Security-Policy of the page: its own style, nothing else.
func Policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'"
}

// Write writes the page.
func (s Statement) Write(w io.Writer) error {
	t, err := template.New("statement").Funcs(s.words()).Parse(page)
	if err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	if err := t.Execute(w, s); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	return nil
}

// words are what the page says by itself.
func (s Statement) words() template.FuncMap {
	return template.FuncMap{
		"t":       func(id string) string { return s.text(id, nil) },
		"gap":     func(r reconcile.Reason) string { return phrase.Text(s.Lang, "gap."+string(r), nil) },
		"when":    s.when,
		"kind":    func(kind any) string { return s.title(fmt.Sprint(kind)) },
		"inc":     func(i int) int { return i + 1 },
		"hex":     func(digest string) string { return strings.TrimPrefix(digest, "sha-256:") },
		"outcome": s.outcome,
		"receipt": s.receipt,
		"apart":   apart,
		"size":    size,
	}
}

func (s Statement) text(id string, params map[string]string) string {
	return phrase.Text(s.Lang, "statement."+id, params)
}

// title is what the standards call a kind; empty for one that they do not know.
func (s Statement) title(kind string) string {
	if id := "ui.kind." + kind; phrase.Has(id) {
		return phrase.Text(s.Lang, id, nil)
	}
	return ""
}

func (s Statement) when(t time.Time) string { return t.In(s.Zone).Format("2006-01-02 15:04") }

// apart is what was exported and is not stored.
func apart(sum any) int64 {
	switch x := sum.(type) {
	case reconcile.Sum:
		return x.Rows.Exported - x.Rows.Stored
	case *reconcile.Sum:
		return x.Rows.Exported - x.Rows.Stored
	default:
		return 0
	}
}

// outcome says how a file ended, and whether it counts.
func (s Statement) outcome(l *reconcile.Line) string {
	said := phrase.Text(s.Lang, "gap."+string(l.Gap), nil)
	if l.Verdict != "" {
		said = phrase.Text(s.Lang, "result.verdict."+string(l.Verdict), nil)
	}
	if l.Uncounted != "" {
		said += " · " + phrase.Text(s.Lang, "uncounted."+string(l.Uncounted), nil)
	}
	return said
}

// receipt is the server's number, and when the verdict came.
func (s Statement) receipt(l *reconcile.Line) string {
	if l.Receipt == nil {
		return "–"
	}
	return strings.TrimSpace(l.Receipt.ServerID + "\n" + s.when(l.Receipt.At))
}

// size writes an amount of bytes for people.
func size(bytes int64) string {
	units, amount := []string{"B", "KiB", "MiB", "GiB", "TiB"}, float64(bytes)
	for amount >= 1024 && len(units) > 1 {
		units, amount = units[1:], amount/1024
	}
	if units[0] == "B" {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	return strconv.FormatFloat(amount, 'f', 1, 64) + " " + units[0]
}

// HTMLLang is the language as HTML names it.
func (s Statement) HTMLLang() string {
	if s.Lang == phrase.Chinese {
		return "zh-CN"
	}
	return "en"
}

// Style is the page's style.
func (s Statement) Style() template.CSS { return template.CSS(style) } //nolint:gosec // our own, embedded

// Made is when the statement was made, in its zone.
func (s Statement) Made() string { return s.when(s.MadeAt) }

// Gaps are what is missing in all.
func (s Statement) Gaps() []reconcile.Gap { return s.Total.Gaps() }

// Unbalanced says by how much it does not balance.
func (s Statement) Unbalanced() string {
	n, files := s.Total.Rows, int64(0)
	for _, g := range s.Gaps() {
		files += g.Files
	}
	return s.text("unbalanced", map[string]string{
		"exported": decimal(n.Exported), "stored": decimal(n.Stored), "rows": decimal(n.Exported - n.Stored), "files": decimal(files),
	})
}

// LateText says how many expected files did not come.
func (s Statement) LateText() string {
	return s.text("late", map[string]string{"n": strconv.Itoa(len(s.Late))})
}

// NotCountedText says how many files are in no sum.
func (s Statement) NotCountedText() string {
	return s.text("not_counted", map[string]string{"n": decimal(s.Total.NotCounted)})
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
