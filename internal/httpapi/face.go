package httpapi

import (
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/api"
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

// docsPages makes the documentation's pages, each when it is first asked for: most
// programs are never asked, and the document they are made of is large.
func docsPages() map[phrase.Lang]func() (dashboard.Asset, error) {
	all := map[phrase.Lang]func() (dashboard.Asset, error){}
	for _, lang := range phrase.Langs() {
		all[lang] = sync.OnceValues(func() (dashboard.Asset, error) {
			spec, err := api.Spec()
			if err != nil {
				return dashboard.Asset{}, err
			}
			page, err := renderDocs(spec, lang)
			return dashboard.NewAsset(dashboard.Page, page), err
		})
	}
	return all
}

// serveDocs shows the documentation.
func serveDocs(pages map[phrase.Lang]func() (dashboard.Asset, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		page, ok := pages[phrase.Lang(c.QueryParam("lang"))]
		if !ok {
			page = pages[phrase.Chinese]
		}
		asset, err := page()
		if err != nil {
			return err
		}
		asset.Serve(c.Response(), c.Request())
		return nil
	}
}
