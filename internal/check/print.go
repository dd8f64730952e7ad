package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

// PrintText writes the report for a terminal: the settings in effect, then each
// step, Chinese first, with what to do where something is wrong.
func (r Report) PrintText(w io.Writer) error {
	var b strings.Builder
	for _, s := range r.Settings {
		mark := " "
		if !s.Default {
			mark = "*"
		}
		fmt.Fprintf(&b, "%s %s=%s\n", mark, s.Name, s.Value)
	}
	b.WriteString("\n")
	counts := map[Status]int{}
	for _, s := range r.Steps {
		counts[s.Status]++
		s.print(&b)
	}
	params := map[string]string{"ok": fmt.Sprint(counts[OK]), "warn": fmt.Sprint(counts[Warn]), "fail": fmt.Sprint(counts[Fail])}
	fmt.Fprintln(&b)
	for _, lang := range phrase.Langs() {
		fmt.Fprintln(&b, phrase.Text(lang, "check.summary", params))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String is the step as PrintText shows it.
func (s Step) String() string {
	var b strings.Builder
	s.print(&b)
	return strings.TrimSuffix(b.String(), "\n")
}

func (s Step) print(b *strings.Builder) {
	name := s.Name
	if s.Channel != "" {
		name = string(s.Channel) + " " + name
	}
	fmt.Fprintf(b, "[%-4s] %s", s.Status, name)
	if s.Detail != "" {
		fmt.Fprintf(b, " (%s)", s.Detail)
	}
	b.WriteString("\n")
	for _, lang := range phrase.Langs() {
		fmt.Fprintf(b, "       %s\n", indent(s.Text(lang)))
		if advice := s.Advice(lang); advice != "" && s.Status != OK {
			fmt.Fprintf(b, "       → %s\n", indent(advice))
		}
	}
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n         ") }

type jsonText struct {
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

type jsonStep struct {
	Step    string   `json:"step"`
	Channel string   `json:"channel,omitempty"`
	Status  Status   `json:"status"`
	Detail  string   `json:"detail,omitempty"`
	Chinese jsonText `json:"zh"`
	English jsonText `json:"en"`
	TookMS  int64    `json:"took_ms"`
}

type jsonReport struct {
	Passed   bool             `json:"passed"`
	Settings []config.Setting `json:"settings"`
	Steps    []jsonStep       `json:"steps"`
}

// PrintJSON writes the report as one JSON object.
func (r Report) PrintJSON(w io.Writer) error {
	out := jsonReport{Passed: r.Passed(), Settings: r.Settings, Steps: []jsonStep{}}
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, jsonStep{
			Step: s.Name, Channel: string(s.Channel), Status: s.Status, Detail: s.Detail, TookMS: s.Took.Milliseconds(),
			Chinese: jsonText{s.Text(phrase.Chinese), s.Advice(phrase.Chinese)},
			English: jsonText{s.Text(phrase.English), s.Advice(phrase.English)},
		})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
