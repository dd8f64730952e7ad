package httpapi

import (
	"bytes"
	"context"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sheet"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// ListFindings gives one page of findings, or all of them as CSV.
func (h *handlers) ListFindings(ctx context.Context, r api.ListFindingsRequestObject) (api.ListFindingsResponseObject, error) {
	u, err := h.Journal.Get(ctx, upload.ID(r.ID))
	if err != nil {
		return nil, err
	}
	severities := each(or(r.Params.Severity, nil), func(s api.Severity) upload.Severity { return upload.Severity(s) })
	f := journal.FindingFilter{Severities: severities}
	if or(r.Params.Format, api.ListFindingsParamsFormatJSON) == api.ListFindingsParamsFormatCsv {
		return h.findingsCSV(ctx, u.ID, f)
	}
	limit := or(r.Params.Limit, defaultLimit)
	f.Limit = limit + 1 // one more tells whether there are more
	if r.Params.Cursor != nil {
		if f.After, err = strconv.ParseInt(*r.Params.Cursor, 10, 64); err != nil || f.After < 1 {
			return nil, journal.ErrBadCursor
		}
	}
	found, err := h.Journal.Findings(ctx, u.ID, f)
	if err != nil {
		return nil, err
	}
	var next *string
	if len(found) > limit {
		found = found[:limit]
		next = orNil(strconv.FormatInt(found[limit-1].N, 10))
	}
	return api.ListFindings200JSONResponse{Items: each(found, viewFinding), Next: next}, nil
}

// csvFile is a whole CSV, ready to be sent: the journal keeps a bounded number
// of findings, and made beforehand it cannot break off half-way unseen.
type csvFile struct {
	name string
	body []byte
}

// VisitListFindingsResponse makes it an answer.
func (f csvFile) VisitListFindingsResponse(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.name}))
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(f.body)
	return err
}

func (h *handlers) findingsCSV(ctx context.Context, id upload.ID, f journal.FindingFilter) (api.ListFindingsResponseObject, error) {
	found, err := h.Journal.Findings(ctx, id, f)
	if err != nil {
		return nil, err
	}
	return newFindingsCSV("findings-"+string(id)+".csv", each(found, viewFinding))
}

// newFindingsCSV makes the whole CSV of findings.
func newFindingsCSV(name string, findings []api.Finding) (csvFile, error) {
	rows := [][]string{{"severity", "rule", "row", "column", "text_zh", "text_en"}}
	for _, f := range findings {
		row := ""
		if f.Row != nil {
			row = strconv.FormatInt(*f.Row, 10)
		}
		rows = append(rows, []string{string(f.Severity), f.Rule, row, or(f.Column, ""), f.Text.Zh, f.Text.En})
	}
	return newCSVFile(name, rows)
}

func newCSVFile(name string, rows [][]string) (csvFile, error) {
	var b bytes.Buffer
	err := sheet.Write(&b, rows)
	return csvFile{name: name, body: b.Bytes()}, err
}

// acceptCSV lets Accept choose the form of what there is as CSV, where the query
// does not.
func acceptCSV(next api.StrictHandlerFunc, _ string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		if prefers(c.Request().Header.Get(echo.HeaderAccept), "text/csv") {
			switch r := request.(type) {
			case api.ListFindingsRequestObject:
				r.Params.Format = orElse(r.Params.Format, api.ListFindingsParamsFormatCsv)
				request = r
			case api.GetReconciliationRequestObject:
				r.Params.Format = orElse(r.Params.Format, api.GetReconciliationParamsFormatCsv)
				request = r
			}
		}
		return next(c, request)
	}
}

// orElse is p, or a pointer to otherwise where there is none.
func orElse[T any](p *T, otherwise T) *T {
	if p == nil {
		return &otherwise
	}
	return p
}

// prefers reports whether an Accept header names that form, and JSON no earlier.
func prefers(accept, form string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		switch media, _, _ := mime.ParseMediaType(part); media {
		case form:
			return true
		case "application/json":
			return false
		}
	}
	return false
}
