package httpapi

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// maxPreviews bounds how many files are checked at once by POST /validate: each
// holds memory for as long as its body comes.
const maxPreviews = 4

// preview checks the body when there is room for it.
func (h *handlers) preview(ctx context.Context, b Body) (Previewed, error) {
	select {
	case h.previews <- struct{}{}:
		defer func() { <-h.previews }()
		return h.Preview.Preview(ctx, b)
	default:
		return Previewed{}, &problem{status: http.StatusTooManyRequests, name: "too-many-requests", detail: "too many files are being checked", retryAfter: 5 * time.Second}
	}
}

// ValidateFile checks the body as a file of that name, and keeps nothing.
func (h *handlers) ValidateFile(ctx context.Context, r api.ValidateFileRequestObject) (api.ValidateFileResponseObject, error) {
	var content io.Reader = http.NoBody
	if r.Body != nil {
		content = incoming{r.Body}
	}
	p, err := h.preview(ctx, Body{
		Reader: content, Filename: r.Params.Filename, Channel: upload.Channel(or(r.Params.Channel, "")), Standard: or(r.Params.Standard, ""),
	})
	if err != nil {
		return nil, err
	}
	items := each(p.Findings, func(f upload.Finding) api.Finding { return viewFinding(journal.NumberedFinding{Finding: f}) })
	if or(r.Params.Format, api.ValidateFileParamsFormatJSON) == api.ValidateFileParamsFormatCsv {
		return newFindingsCSV("findings.csv", items)
	}
	return api.ValidateFile200JSONResponse{
		File: r.Params.Filename, Kind: string(p.Kind), Standard: p.Standard, Charset: p.Charset,
		Bytes: p.Bytes, Rows: p.Rows, RowsInError: p.RowsInError,
		Findings: api.Tally{Fatal: p.Tally.Fatal, Error: p.Tally.Error, Warning: p.Tally.Warning},
		Items:    items,
		Counts: each(p.Counts, func(b Broken) api.RuleCount {
			return api.RuleCount{Rule: b.Rule, Column: b.Column, Severity: api.Severity(b.Severity), Count: b.Count}
		}),
	}, nil
}

// VisitValidateFileResponse makes it an answer.
func (f csvFile) VisitValidateFileResponse(w http.ResponseWriter) error {
	return f.VisitListFindingsResponse(w)
}
