package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/internal/dashboard"
)

// serveFace shows the dashboard to browsers at "/"; anybody else is sent on.
func serveFace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() != "/" || !strings.Contains(c.Request().Header.Get(echo.HeaderAccept), echo.MIMETextHTML) {
			return next(c)
		}
		c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
		dashboard.Serve(c.Response(), c.Request(), dashboard.Page)
		return nil
	}
}

// serveAsset answers with a part of the dashboard.
func serveAsset(c echo.Context) error {
	name := c.Param("file")
	if !dashboard.Has(name) {
		return &problem{status: http.StatusNotFound, name: "not-found"}
	}
	dashboard.Serve(c.Response(), c.Request(), name)
	return nil
}

// serveDocs shows the documentation.
func serveDocs(page []byte) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderContentSecurityPolicy, dashboard.Policy)
		return c.HTMLBlob(http.StatusOK, page)
	}
}
