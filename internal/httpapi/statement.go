package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/reconcile"
	"github.com/hqms-sidecar/hqms-sidecar/internal/reconcile/statement"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// statementPage is the page, ready to be sent.
type statementPage []byte

// VisitGetStatementResponse makes it an answer.
func (p statementPage) VisitGetStatementResponse(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", statement.Policy())
	h.Set("Content-Length", strconv.Itoa(len(p)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(p)
	return err
}

// GetStatement gives a month's statement as a page to be printed.
func (h *handlers) GetStatement(ctx context.Context, r api.GetStatementRequestObject) (api.GetStatementResponseObject, error) {
	s, err := h.monthOf(or(r.Params.Month, ""))
	if err != nil {
		return nil, err
	}
	ch := upload.Channel(or(r.Params.Channel, ""))
	kinds, files := &reconcile.Report{Group: reconcile.ByMonth, Zone: h.Zone}, &reconcile.Report{Group: reconcile.ByFile, Zone: h.Zone}
	f := journal.Filter{SpottedFrom: s.span().Begins, SpottedTo: s.span().Ends}
	if ch != "" {
		f.Channels = []upload.Channel{ch}
	}
	err = h.Reports.Accounts(ctx, f, func(a journal.Account) error {
		kinds.Add(a)
		files.Add(a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	expected, err := h.expected(ctx, ch, "", s)
	if err != nil {
		return nil, err
	}
	page := statement.Statement{
		Lang: phrase.Lang(or(r.Params.Lang, api.Zh)), Month: s.first.Format("2006-01"), Channel: ch, Version: h.Version,
		MadeAt: h.Now(), Zone: h.Zone, ZoneName: h.zoneName(), Kinds: kinds.Items(), Files: files.Items(), Total: &files.Total,
	}
	for _, e := range expected {
		if e.State == calendar.Late {
			page.Late = append(page.Late, e)
		}
	}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		return nil, err
	}
	return statementPage(b.Bytes()), nil
}

// monthOf is the days of a month; empty: of the last one that is over.
func (h *handlers) monthOf(month string) (days, error) {
	y, m, _ := h.Now().In(h.Zone).Date()
	first := time.Date(y, m-1, 1, 0, 0, 0, 0, h.Zone)
	if month != "" {
		parsed, err := time.Parse("2006-01", month)
		if err != nil || parsed.Year() < 1970 || parsed.Year() > 2200 {
			return days{}, misfitOf("month", "it is no month like 2026-11")
		}
		first = h.midnight(parsed)
	}
	return days{first, first.AddDate(0, 1, -1)}, nil
}
