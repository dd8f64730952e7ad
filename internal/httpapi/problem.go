package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/alert"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const problemType = "urn:hqms-sidecar:problem:"

// problem is an error as the client sees it.
type problem struct {
	status     int
	name       string // last part of its type, key of its words
	detail     string
	reason     upload.Reason
	retryAfter time.Duration
	misfits    []misfit
	health     *api.Health
	cause      error // for the log alone
}

// misfit is a place where a request does not fit the document.
type misfit struct{ in, name, detail string }

// Error implements error.
func (p *problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%s: %v", p.name, p.cause)
	}
	return p.name + ": " + p.detail
}

// Unwrap gives the cause.
func (p *problem) Unwrap() error { return p.cause }

// problemOf is the one table from errors to HTTP.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &problem{status: http.StatusRequestEntityTooLarge, name: "payload-too-large"}
	}
	if f, ok := errors.AsType[*upload.Fault](err); ok {
		return problemOfFault(f)
	}
	if h, ok := errors.AsType[*echo.HTTPError](err); ok {
		return problemOfStatus(h)
	}
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return &problem{status: http.StatusNotFound, name: "not-found", detail: "there is nothing of this id"}
	case errors.Is(err, ErrUnknownChannel):
		return &problem{status: http.StatusNotFound, name: "unknown-channel"}
	case errors.Is(err, ErrNoReceiver):
		return &problem{status: http.StatusConflict, name: "no-receiver"}
	case errors.Is(err, alert.ErrOver):
		return &problem{status: http.StatusConflict, name: "not-possible-now", detail: alert.ErrOver.Error()}
	case errors.Is(err, journal.ErrBadCursor):
		return &problem{status: http.StatusBadRequest, name: "bad-request", misfits: []misfit{{"query", "cursor", "not a cursor of this list"}}}
	case errors.Is(err, ErrUnfitting):
		return &problem{status: http.StatusUnprocessableEntity, name: "unprocessable", detail: err.Error()}
	case errors.Is(err, ErrNotPossible):
		return &problem{status: http.StatusConflict, name: "not-possible-now", detail: err.Error()}
	case errors.Is(err, upload.ErrIllegalTransition):
		return &problem{status: http.StatusConflict, name: "not-possible-now"}
	case errors.Is(err, journal.ErrConflict), errors.Is(err, journal.ErrContentTaken):
		return &problem{status: http.StatusConflict, name: "not-possible-now", detail: "another upload of this file or content is under way, or was delivered"}
	case errors.Is(err, journal.ErrLeaseLost):
		return &problem{status: http.StatusConflict, name: "not-possible-now", detail: "it has just changed; look again"}
	case errors.Is(err, fs.ErrExist):
		return &problem{status: http.StatusConflict, name: "not-possible-now", detail: "a file of this name is there already"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &problem{status: http.StatusServiceUnavailable, name: "unavailable", cause: err}
	default:
		return &problem{status: http.StatusInternalServerError, name: "internal-error", cause: err}
	}
}

func problemOfFault(f *upload.Fault) *problem {
	p := &problem{status: http.StatusServiceUnavailable, name: "unavailable", detail: f.Detail, reason: f.Reason, retryAfter: f.RetryAfter, cause: f.Err}
	switch f.Class {
	case upload.Permanent, upload.Refused:
		p.status, p.name = http.StatusConflict, "not-possible-now"
	case upload.Passing:
		if f.Reason == upload.InternalFault {
			return &problem{status: http.StatusInternalServerError, name: "internal-error", cause: f}
		}
	case upload.Local:
	}
	return p
}

func problemOfStatus(h *echo.HTTPError) *problem {
	switch h.Code {
	case http.StatusNotFound:
		return &problem{status: h.Code, name: "not-found", detail: "there is no such address"}
	case http.StatusMethodNotAllowed:
		return &problem{status: h.Code, name: "method-not-allowed"}
	case http.StatusUnsupportedMediaType:
		return &problem{status: h.Code, name: "unsupported-media-type"}
	case http.StatusRequestEntityTooLarge:
		return &problem{status: h.Code, name: "payload-too-large"}
	}
	if h.Code >= http.StatusBadRequest && h.Code < http.StatusInternalServerError {
		return &problem{status: http.StatusBadRequest, name: "bad-request", cause: h}
	}
	return &problem{status: http.StatusInternalServerError, name: "internal-error", cause: h}
}

// body is the problem in the shape of the document.
func (p *problem) body(instance string) api.Problem {
	id := "problem." + p.name
	b := api.Problem{Type: problemType + p.name, Status: p.status, Title: phrase.Text(phrase.English, id, nil)}
	b.TitleZh = orNil(phrase.Text(phrase.Chinese, id, nil))
	b.Detail, b.Instance, b.Reason = orNil(p.detail), orNil(instance), orNil(string(p.reason))
	if b.Remedy = text("remedy."+string(p.reason), nil); b.Remedy == nil {
		b.Remedy = text("problem_remedy."+p.name, nil)
	}
	if len(p.misfits) > 0 {
		b.Errors = new(each(p.misfits, func(m misfit) api.Misfit {
			return api.Misfit{In: api.MisfitIn(m.in), Name: m.name, Detail: m.detail}
		}))
	}
	if p.health != nil {
		b.Live, b.Ready, b.Reasons = &p.health.Live, &p.health.Ready, &p.health.Reasons
	}
	return b
}

// problems answers with what went wrong; it is echo's error handler.
type problems struct{ log *slog.Logger }

func (h problems) handle(err error, c echo.Context) {
	p, req := problemOf(err), c.Request()
	if req.Context().Err() == nil && p.status >= http.StatusInternalServerError && p.cause != nil {
		h.log.ErrorContext(req.Context(), "api call failed", "method", req.Method, "route", c.Path(), "status", p.status, "error", p.cause)
	}
	res := c.Response()
	if res.Committed {
		return
	}
	if p.retryAfter > 0 {
		res.Header().Set("Retry-After", strconv.Itoa(int(p.retryAfter.Round(time.Second).Seconds())))
	}
	if p.status == http.StatusUnauthorized {
		res.Header().Set("WWW-Authenticate", `Bearer realm="hqms-sidecar"`)
	}
	switch p.status {
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		res.Header().Set(echo.HeaderConnection, "close") // the rest of the body is not waited for
	}
	res.Header().Set(echo.HeaderContentType, "application/problem+json")
	res.WriteHeader(p.status)
	if req.Method == http.MethodHead {
		return
	}
	if err := json.NewEncoder(res).Encode(p.body(req.URL.Path)); err != nil {
		h.log.DebugContext(req.Context(), "client left before the answer", "route", c.Path())
	}
}
