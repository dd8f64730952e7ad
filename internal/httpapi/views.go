package httpapi

import (
	"cmp"
	"net/url"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// orNil is nil for what is empty: what is not known is null.
func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// text is the phrase in both languages; nil where the catalogue has none.
func text(id string, params map[string]string) *api.Text {
	if !phrase.Has(id) {
		return nil
	}
	return &api.Text{Zh: phrase.Text(phrase.Chinese, id, params), En: phrase.Text(phrase.English, id, params)}
}

func reasonText(r upload.Reason) *api.Text { return text("reason."+string(r), nil) }
func remedyText(r upload.Reason) *api.Text { return text("remedy."+string(r), nil) }

func viewUpload(u upload.Upload, p Progress) api.Upload {
	v := api.Upload{
		ID: string(u.ID), BatchID: orNil(u.BatchID), Channel: string(u.Channel), Kind: string(u.Kind), Filename: u.Filename,
		Size: u.Source.Size, Digest: orNil(u.Digest), PackedSize: orNil(u.PackedSize), PackedDigest: orNil(u.PackedDigest),
		Charset: orNil(u.Charset), Standard: orNil(u.Standard),
		State: api.State(u.State), Verdict: orNil(api.Verdict(u.Verdict)),
		Reason: orNil(string(u.Reason)), ReasonText: reasonText(u.Reason), Remedy: remedyText(u.Reason), Detail: orNil(u.Detail),
		Attempt: u.Attempt, Polls: u.Polls, Forced: u.Forced, ReplacesID: orNil(string(u.ReplacesID)),
		Place: api.Place(u.Place), Path: orNil(u.Path),
		SpottedAt: u.SpottedAt, UpdatedAt: u.UpdatedAt, SentAt: orNil(u.SentAt), FinishedAt: orNil(u.FinishedAt),
		Receipt: viewReceipt(u.Receipt), Findings: api.Tally{Fatal: u.Findings.Fatal, Error: u.Findings.Error, Warning: u.Findings.Warning}, TraceID: orNil(u.TraceID),
	}
	if u.Digest != "" { // it has been read
		v.Rows = &u.Rows
	}
	if u.State.Open() {
		v.NextAttemptAt = orNil(u.NextAttemptAt)
	}
	if p == nil {
		return v
	}
	if s, ok := p.Sending(u.ID); ok {
		v.Progress = &api.Progress{SentBytes: s.Sent, TotalBytes: s.Total, BytesPerSecond: s.BytesPerSecond}
	}
	return v
}

// viewReceipt leaves out the server's stack trace.
func viewReceipt(r *upload.Receipt) *api.Receipt {
	if r == nil {
		return nil
	}
	v := &api.Receipt{
		ServerID: orNil(r.ServerID), Status: r.Status, Code: orNil(r.Code), ServerMessage: orNil(r.Message),
		LoadedAt: orNil(r.LoadedAt), At: r.At,
	}
	if g := r.Grades; g != nil {
		v.Grades = &api.Grades{
			Grade0: g.Below, Grade1: g.Storing, Grade2: g.Technical, Grade3: g.Interface,
			Stocked: g.Stocked, Total: g.Total, Grade: g.Grade,
		}
	}
	return v
}

func viewEvent(e upload.Event) api.Event {
	return api.Event{
		Seq: e.Seq, UploadID: string(e.UploadID), Channel: string(e.Channel), At: e.At, Name: e.Name,
		From: orNil(api.State(e.From)), To: api.State(e.To), Verdict: orNil(api.Verdict(e.Verdict)),
		Reason: orNil(string(e.Reason)), ReasonText: reasonText(e.Reason), Detail: orNil(e.Detail), Attempt: e.Attempt,
	}
}

func viewFinding(f journal.NumberedFinding) api.Finding {
	v := api.Finding{
		Severity: api.Severity(f.Severity), Rule: f.Rule, Row: orNil(f.Row), Column: orNil(f.Column),
		Params: f.Params, Text: api.Text{Zh: f.Rule, En: f.Rule},
	}
	if v.Params == nil {
		v.Params = map[string]string{}
	}
	if t := text("rule."+f.Rule, f.Params); t != nil {
		v.Text = *t
	}
	return v
}

func viewLooked(l Looked) api.TriggerItem {
	v := api.TriggerItem{
		Channel: string(l.Channel), Filename: l.Filename, Kind: orNil(string(l.Kind)), Taken: l.Taken, UploadID: orNil(string(l.UploadID)),
		Reason: orNil(string(l.Reason)), ReasonText: reasonText(l.Reason), Remedy: remedyText(l.Reason),
	}
	if l.Size >= 0 {
		v.Size = &l.Size
	}
	return v
}

func viewChannel(c Channel) api.Channel {
	v := api.Channel{
		Name: string(c.Name), State: c.State, Reason: orNil(string(c.Reason)), ReasonText: reasonText(c.Reason), Remedy: remedyText(c.Reason),
		Detail: orNil(c.Detail), ServerMessage: orNil(c.ServerMessage), PausedBy: orNil(c.PausedBy), Since: orNil(c.Since), NextProbeAt: orNil(c.NextProbeAt),
		ServerURL: bareURL(c.ServerURL), Protocol: c.Protocol, WatchDir: c.WatchDir, SettleMode: c.SettleMode,
		WriterProbe: orNil(c.WriterProbe), Watching: orNil(c.Watching), LeftAlone: c.LeftAlone, LinkBitsPerSecond: orNil(c.LinkSpeed), Directory: viewDirectory(c.Directory),
		Backlog:      api.Backlog{Files: c.Backlog.Files, Bytes: c.Backlog.Bytes, OldestSeconds: c.Backlog.Oldest.Seconds(), States: map[string]int64{}},
		LastAccepted: map[string]time.Time{},
	}
	for s, n := range c.Backlog.States {
		v.Backlog.States[string(s)] = n
	}
	var last time.Time
	for kind, at := range c.LastAccepted {
		v.LastAccepted[string(kind)] = at
		if at.After(last) {
			last = at
		}
	}
	v.LastAcceptedAt = orNil(last)
	return v
}

// bareURL is a URL without user, query and fragment; empty if it is none.
func bareURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func viewTest(r TestResult) api.TestResult {
	return api.TestResult{
		Ok: r.OK, Reason: orNil(string(r.Reason)), ReasonText: reasonText(r.Reason), Remedy: remedyText(r.Reason), Detail: orNil(r.Detail),
		Steps: each(r.Steps, viewStep),
	}
}

func viewStep(s Step) api.TestStep {
	words := cmp.Or(text("test.step."+s.Name, nil), &api.Text{Zh: s.Name, En: s.Name})
	return api.TestStep{
		Name: s.Name, Text: *words, State: api.TestStepState(s.State), Ok: s.State == StepPassed || s.State == StepWarned,
		Detail: orNil(s.Detail), Seconds: s.Took.Seconds(),
	}
}

func viewObstacles(all []Obstacle) []api.Obstacle {
	return each(all, func(o Obstacle) api.Obstacle {
		words := reasonText(o.Reason)
		if words == nil {
			words = &api.Text{Zh: string(o.Reason), En: string(o.Reason)}
		}
		return api.Obstacle{
			Reason: string(o.Reason), Channel: orNil(string(o.Channel)), Detail: o.Detail,
			Text: *words, Remedy: remedyText(o.Reason),
		}
	})
}

// each views every element; never nil, so that an empty list is [].
func each[T, V any](all []T, view func(T) V) []V {
	v := make([]V, 0, len(all))
	for _, one := range all {
		v = append(v, view(one))
	}
	return v
}

func viewDirectory(d Directory) api.Directory {
	return api.Directory{
		FileSystem: d.FileSystem, Network: d.Network, SelfTest: d.SelfTest, ProbeDoubt: orNil(d.ProbeDoubt), Overflows: d.Overflows,
		Ours: d.Ours, Ignored: d.Ignored, NotOurs: d.NotOurs, LastScanAt: orNil(d.LastScan), ScanSeconds: d.LastScanTook.Seconds(), LookedAt: d.Looked,
		Unfit: each(d.Unfit, func(u Unfit) api.Unfit {
			return api.Unfit{Name: u.Name, Reason: string(u.Reason), ReasonText: reasonText(u.Reason)}
		}),
	}
}
