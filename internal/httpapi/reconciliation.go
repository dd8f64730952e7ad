package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/reconcile"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// GetReconciliation tells whether every row that was exported is stored.
func (h *handlers) GetReconciliation(ctx context.Context, r api.GetReconciliationRequestObject) (api.GetReconciliationResponseObject, error) {
	p := r.Params
	s, err := h.daysOf(p.From, p.To, 0)
	if err != nil {
		return nil, err
	}
	report := &reconcile.Report{Group: reconcile.Group(or(p.Group, api.GetReconciliationParamsGroupDay)), Zone: h.Zone}
	whole := or(p.Format, api.GetReconciliationParamsFormatJSON) == api.GetReconciliationParamsFormatCsv
	if err := paged(report, p, whole); err != nil {
		return nil, err
	}
	if err := h.account(ctx, report, upload.Channel(or(p.Channel, "")), upload.Kind(or(p.Kind, "")), s); err != nil {
		return nil, err
	}
	if whole {
		return reconciliationCSV(fmt.Sprintf("reconciliation-%s-%s.csv", s.from(), s.to()), report)
	}
	return api.GetReconciliation200JSONResponse{
		From: s.from(), To: s.to(), TimeZone: h.zoneName(), Group: api.ReconciliationGroup(report.Group),
		Items: each(report.Items(), viewReconciled), Total: viewTotal(&report.Total), Next: orNil(report.Next()),
	}, nil
}

// paged bounds a list of files to the page asked for; every other list has but one.
func paged(report *reconcile.Report, p api.GetReconciliationParams, whole bool) (err error) {
	if report.Group == reconcile.ByFile && !whole {
		report.Limit = or(p.Limit, defaultLimit)
		if p.Cursor != nil {
			report.After, err = journal.ParsePosition(*p.Cursor)
		}
		return err
	}
	if p.Cursor != nil {
		return journal.ErrBadCursor
	}
	return nil
}

// account gathers the uploads spotted on the days.
func (h *handlers) account(ctx context.Context, report *reconcile.Report, ch upload.Channel, kind upload.Kind, s days) error {
	f := journal.Filter{SpottedFrom: s.span().Begins, SpottedTo: s.span().Ends}
	if ch != "" {
		f.Channels = []upload.Channel{ch}
	}
	if kind != "" {
		f.Kinds = []upload.Kind{kind}
	}
	return h.Reports.Accounts(ctx, f, func(a journal.Account) error {
		report.Add(a)
		return nil
	})
}

func viewRows(r reconcile.Rows) api.RowCounts {
	return api.RowCounts{Exported: r.Exported, Checked: r.Checked, Sent: r.Sent, Stored: r.Stored}
}

func viewGap(g reconcile.Gap) api.Gap {
	return api.Gap{Reason: api.GapReason(g.Reason), Text: *text("gap."+string(g.Reason), nil), Files: g.Files, Rows: g.Rows}
}

func viewTotal(s *reconcile.Sum) api.ReconciliationTotal {
	return api.ReconciliationTotal{
		Files: s.Files, NotCounted: s.NotCounted, Rows: viewRows(s.Rows), SourceBytes: s.SourceBytes, PackedBytes: s.PackedBytes,
		Gaps: each(s.Gaps(), viewGap), Balanced: s.Balanced(),
	}
}

func viewReconciled(i *reconcile.Item) api.ReconciliationItem {
	v := api.ReconciliationItem{
		Channel: string(i.Channel), Kind: string(i.Kind), Day: orNil(i.Day), Month: i.Month,
		Files: i.Sum.Files, NotCounted: i.Sum.NotCounted, Rows: viewRows(i.Sum.Rows), SourceBytes: i.Sum.SourceBytes, PackedBytes: i.Sum.PackedBytes,
		Gaps: each(i.Sum.Gaps(), viewGap), Balanced: i.Sum.Balanced(),
	}
	if i.File != nil {
		v.File = viewFile(i.File)
		v.Rows = viewRows(i.File.Rows) // also of a file that is in no sum
		v.SourceBytes, v.PackedBytes = i.File.SourceSize, i.File.PackedSize
	}
	return v
}

func viewFile(l *reconcile.Line) *api.ReconciledFile {
	v := &api.ReconciledFile{
		Filename: l.Filename, UploadID: string(l.ID), State: api.State(l.State), Verdict: orNil(api.Verdict(l.Verdict)), Digest: orNil(l.Digest),
		SpottedAt: l.SpottedAt, SentAt: orNil(l.SentAt), DecidedAt: orNil(l.DecidedAt()),
		NotCountedBecause: orNil(api.ReconciledFileNotCountedBecause(l.Uncounted)), ReplacedBy: orNil(string(l.Successor)),
	}
	if l.Receipt != nil {
		v.ServerID = orNil(l.Receipt.ServerID)
	}
	return v
}

// reconciliationColumns are the columns of the CSV, for every group the same.
var reconciliationColumns = []string{
	"channel", "kind", "month", "day", "filename", "upload_id", "state", "verdict", "files", "not_counted",
	"rows_exported", "rows_checked", "rows_sent", "rows_stored", "rows_apart", "gaps_zh", "gaps_en",
	"source_bytes", "packed_bytes", "digest", "server_id", "spotted_at", "sent_at", "decided_at",
}

func reconciliationCSV(name string, report *reconcile.Report) (csvFile, error) {
	rows := [][]string{reconciliationColumns}
	for _, i := range report.Items() {
		rows = append(rows, reconciliationRow(viewReconciled(i)))
	}
	return newCSVFile(name, rows)
}

func reconciliationRow(v api.ReconciliationItem) []string {
	n := func(n int64) string { return strconv.FormatInt(n, 10) }
	f := or(v.File, api.ReconciledFile{})
	var zh, en []string
	if because := or(f.NotCountedBecause, ""); because != "" {
		words := text("uncounted."+string(because), nil)
		zh, en = append(zh, words.Zh), append(en, words.En)
	}
	for _, g := range v.Gaps {
		zh, en = append(zh, fmt.Sprintf("%s：%d", g.Text.Zh, g.Rows)), append(en, fmt.Sprintf("%s: %d", g.Text.En, g.Rows))
	}
	spotted := ""
	if v.File != nil {
		spotted = f.SpottedAt.Format(time.RFC3339)
	}
	return []string{
		v.Channel, v.Kind, v.Month, or(v.Day, ""), f.Filename, f.UploadID, string(f.State), string(or(f.Verdict, "")),
		n(v.Files), n(v.NotCounted),
		n(v.Rows.Exported), n(v.Rows.Checked), n(v.Rows.Sent), n(v.Rows.Stored), n(v.Rows.Exported - v.Rows.Stored),
		strings.Join(zh, "；"), strings.Join(en, "; "),
		n(v.SourceBytes), n(v.PackedBytes), or(f.Digest, ""), or(f.ServerID, ""), spotted, stamp(f.SentAt), stamp(f.DecidedAt),
	}
}

// stamp writes a time that may not be known.
func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// VisitGetReconciliationResponse makes it an answer.
func (f csvFile) VisitGetReconciliationResponse(w http.ResponseWriter) error {
	return f.VisitListFindingsResponse(w)
}
