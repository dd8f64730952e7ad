package httpapi

import (
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/internal/dashboard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
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

// docsPages are the documentation's pages, one in each language.
func docsPages(spec *openapi3.T) (map[phrase.Lang]dashboard.Asset, error) {
	all := map[phrase.Lang]dashboard.Asset{}
	for _, lang := range phrase.Langs() {
		page, err := renderDocs(spec, lang)
		if err != nil {
			return nil, err
		}
		all[lang] = dashboard.NewAsset(dashboard.Page, page)
	}
	return all, nil
}

// serveDocs shows the documentation.
func serveDocs(pages map[phrase.Lang]dashboard.Asset) echo.HandlerFunc {
	return func(c echo.Context) error {
		page, ok := pages[phrase.Lang(c.QueryParam("lang"))]
		if !ok {
			page = pages[phrase.Chinese]
		}
		page.Serve(c.Response(), c.Request())
		return nil
	}
}
