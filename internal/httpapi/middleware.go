package httpapi

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/api"
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
// the limit is passed.
func limitBody(limit int64) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			req := c.Request()
			if req.ContentLength > limit {
				return echo.ErrStatusRequestEntityTooLarge
			}
			req.Body = http.MaxBytesReader(c.Response(), req.Body, limit)
			return next(c)
		}
	}
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
