package retire

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// maxFindings bounds a result file; the rest is counted.
const maxFindings = 1000

// words is a phrase in both languages.
type words struct {
	Chinese string `json:"zh"`
	English string `json:"en"`
}

// result is <name>.result.json.
type result struct {
	ID       upload.ID      `json:"id"`
	BatchID  string         `json:"batch_id"`
	Channel  upload.Channel `json:"channel"`
	Kind     upload.Kind    `json:"kind"`
	Filename string         `json:"filename"`
	Digest   string         `json:"digest"`
	Size     int64          `json:"size"`
	Rows     int64          `json:"rows"`
	Charset  string         `json:"charset,omitempty"`
	Standard string         `json:"standard,omitempty"`

	State   upload.State   `json:"state"`
	Verdict upload.Verdict `json:"verdict"`
	Reason  upload.Reason  `json:"reason,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Why     *words         `json:"why,omitempty"`
	Remedy  *words         `json:"remedy,omitempty"`

	SpottedAt time.Time       `json:"spotted_at"`
	SentAt    *time.Time      `json:"sent_at,omitempty"`
	Receipt   *upload.Receipt `json:"receipt,omitempty"`

	Tally    upload.Tally    `json:"findings_total"`
	Findings []resultFinding `json:"findings"`
	Omitted  int64           `json:"findings_omitted"`
}

type resultFinding struct {
	upload.Finding
	Text words `json:"text"`
}

// writeResult writes both result files into the upload's place in the
// quarantine; a reason replaces the upload's own.
func (r *retirement) writeResult(ctx context.Context, reason upload.Reason) error {
	findings, err := r.o.Findings.Findings(ctx, r.u.ID, maxFindings)
	if err != nil {
		return fmt.Errorf("read the findings: %w", err)
	}
	x := resultOf(r.u, reason, findings[:min(len(findings), maxFindings)])
	data, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	dir := dirOf(upload.InQuarantine, r.u)
	temp := path.Join(dir, partName)
	if err := r.o.State.WriteFile(temp, path.Join(dir, resultName(r.u.Filename, jsonSuffix)), append(data, '\n')); err != nil {
		return err
	}
	return r.o.State.WriteFile(temp, path.Join(dir, resultName(r.u.Filename, textSuffix)), x.readable())
}

func resultOf(u upload.Upload, reason upload.Reason, findings []upload.Finding) result {
	detail := ""
	if reason == "" {
		if reason = u.VerdictReason; u.Reason == reason {
			detail = u.Detail // else it is of what held the putting away up
		}
	}
	x := result{
		ID: u.ID, BatchID: u.BatchID, Channel: u.Channel, Kind: u.Kind, Filename: u.Filename,
		Digest: u.Digest, Size: u.Source.Size, Rows: u.Rows, Charset: u.Charset, Standard: u.Standard,
		State: u.State, Verdict: u.Verdict, Reason: reason, Detail: mask(detail),
		Why: wordsOf("reason."+string(reason), nil), Remedy: wordsOf("remedy."+string(reason), nil),
		SpottedAt: u.SpottedAt.UTC(), Receipt: masked(u.Receipt), Tally: u.Findings,
		Findings: make([]resultFinding, 0, len(findings)),
	}
	if !u.SentAt.IsZero() {
		at := u.SentAt.UTC()
		x.SentAt = &at
	}
	for _, f := range findings {
		f.Column, f.Params = mask(f.Column), maskedParams(f.Params)
		x.Findings = append(x.Findings, resultFinding{Finding: f, Text: ruleWords(f)})
	}
	x.Omitted = max(u.Findings.Fatal+u.Findings.Error+u.Findings.Warning-int64(len(findings)), 0)
	return x
}

// maskedParams is a second line of defence: parameters hold no cell's value, but
// the name of an unknown column comes out of the file.
func maskedParams(params map[string]string) map[string]string {
	m := maps.Clone(params)
	for k, v := range m {
		m[k] = mask(v)
	}
	return m
}

// wordsOf is a phrase in both languages, if the catalogue has it.
func wordsOf(id string, params map[string]string) *words {
	if !phrase.Has(id) {
		return nil
	}
	return &words{Chinese: phrase.Text(phrase.Chinese, id, params), English: phrase.Text(phrase.English, id, params)}
}

// ruleWords is a finding's text; a rule without words is shown as its id.
func ruleWords(f upload.Finding) words {
	if w := wordsOf("rule."+f.Rule, f.Params); w != nil {
		return *w
	}
	return words{Chinese: f.Rule, English: f.Rule}
}

// masked is the receipt with the server's free words made fit to be kept.
func masked(receipt *upload.Receipt) *upload.Receipt {
	if receipt == nil {
		return nil
	}
	m := *receipt
	m.Status, m.Code, m.Message, m.LoadedAt = mask(m.Status), mask(m.Code), mask(m.Message), mask(m.LoadedAt)
	return &m
}
