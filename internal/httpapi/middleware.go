package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/api"
)

const (
	streamLimit = 512 << 20        // bytes of a streamed body
	streamTime  = 10 * time.Minute // for a streamed call
)

// recoverPanic makes a panic an internal error. What was thrown is shown only if
// the runtime threw it: anything else might hold data.
func recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch thrown := recover().(type) {
			case nil:
			case runtime.Error:
				err = fmt.Errorf("panic: %w\n%s", thrown, debug.Stack())
			default:
				if thrown == http.ErrAbortHandler { //nolint:errorlint // the very value, by net/http's contract
					panic(thrown)
				}
				err = fmt.Errorf("panic: %T\n%s", thrown, debug.Stack())
			}
		}()
		return next(c)
	}
}

// securityHeaders suit an API: nothing here is to be framed, sniffed, cached or
// run.
func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		return next(c)
	}
}

// limitBody refuses larger bodies: at once where the length is said, else when
// the limit is passed. A streamed body may be larger, and take longer.
func limitBody(ops operations, usual, streamed int64) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			req, limit := c.Request(), usual
			if op, err := ops.find(c); err == nil && op.streamed {
				limit = streamed
				if err := moreTime(c); err != nil {
					return err
				}
			}
			if req.ContentLength > limit {
				return echo.ErrStatusRequestEntityTooLarge
			}
			req.Body = http.MaxBytesReader(c.Response(), req.Body, limit)
			return next(c)
		}
	}
}

// moreTime gives a streamed call its own deadlines.
func moreTime(c echo.Context) error {
	until := time.Now().Add(streamTime)
	control := http.NewResponseController(c.Response())
	if err := errors.Join(control.SetReadDeadline(until), control.SetWriteDeadline(until)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("give a streamed call more time: %w", err)
	}
	return nil
}

// serveDocument answers with openapi.yaml.
func serveDocument(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", api.Document())
}

// serveMetrics hands the whole request on: the handler chooses the form.
func serveMetrics(h http.Handler) echo.HandlerFunc {
	if h == nil {
		return func(echo.Context) error { return echo.ErrNotFound }
	}
	return func(c echo.Context) error {
		h.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

// nameRoute names the route in the request, where telemetry looks for it.
func nameRoute(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Request().Pattern = c.Path()
		return next(c)
	}
}
