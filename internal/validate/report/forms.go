package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sheet"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
)

// Document is a report as JSON.
type Document struct {
	File        string               `json:"file"`
	Kind        upload.Kind          `json:"kind"`
	Standard    string               `json:"standard"`
	Charset     string               `json:"charset"`
	Bytes       int64                `json:"bytes"`
	Rows        int64                `json:"rows"`
	RowsInError int64                `json:"rows_in_error"`
	Findings    Tally                `json:"findings"`
	Items       []Item               `json:"items"`
	Counts      []validate.RuleCount `json:"counts"`
}

// Tally counts findings by severity.
type Tally = upload.Tally

// Item is one finding with its words.
type Item struct {
	upload.Finding
	Text   Words  `json:"text"`
	Remedy *Words `json:"remedy,omitempty"`
}

// Words are a text in both languages.
type Words struct {
	Chinese string `json:"zh"`
	English string `json:"en"`
}

// NewDocument puts a report into the form that WriteJSON writes.
func NewDocument(file string, r validate.Report) Document {
	d := Document{
		File: file, Kind: r.Kind, Standard: r.Standard, Charset: r.Charset, Bytes: r.Bytes, Rows: r.Rows,
		RowsInError: r.RowsInError, Findings: r.Tally, Items: []Item{}, Counts: r.Counts,
	}
	if d.Counts == nil {
		d.Counts = []validate.RuleCount{}
	}
	for _, f := range r.Findings {
		item := Item{Finding: f, Text: Words{Text(phrase.Chinese, f), Text(phrase.English, f)}}
		if fix := Remedy(phrase.English, f.Rule); fix != "" {
			item.Remedy = &Words{Remedy(phrase.Chinese, f.Rule), fix}
		}
		d.Items = append(d.Items, item)
	}
	return d
}

// WriteJSON writes a report as one JSON document.
func WriteJSON(w io.Writer, file string, r validate.Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(NewDocument(file, r)); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// WriteCSV writes the findings of one or more files as one CSV table, for Excel.
func WriteCSV(w io.Writer, files []string, reports []validate.Report) error {
	rows := [][]string{{"file", "severity", "rule", "row", "column", "text_zh", "text_en", "remedy_zh", "remedy_en", "expected", "shape"}}
	for i, r := range reports {
		for _, f := range r.Findings {
			rows = append(rows, csvRow(files[i], f))
		}
	}
	return sheet.Write(w, rows)
}

func csvRow(file string, f upload.Finding) []string {
	row := ""
	if f.Row > 0 {
		row = strconv.FormatInt(f.Row, 10)
	}
	fields := []string{
		file, string(f.Severity), f.Rule, row, f.Column, Text(phrase.Chinese, f), Text(phrase.English, f),
		Remedy(phrase.Chinese, f.Rule), Remedy(phrase.English, f.Rule), f.Params["expected"], f.Params["shape"],
	}
	for i := range fields {
		fields[i] = plain(fields[i])
	}
	return fields
}
