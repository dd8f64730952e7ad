package httpapi

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/labstack/echo/v4"
)

// operation is one operation of the document, as requests are checked by it.
type operation struct {
	id     string
	access access
	route  *routers.Route
	query  map[string]bool // names of its query parameters
	// streamed: the handler reads the body as it comes; it is not checked
	// against a schema, and has limits of its own.
	streamed bool
}

// operations finds an operation by echo's route and then by method.
type operations map[string]map[string]*operation

var pathParameter = regexp.MustCompile(`\{([^}]+)\}`)

// echoPath writes a path of the document as echo does.
func echoPath(path string) string { return pathParameter.ReplaceAllString(path, ":$1") }

func newOperations(spec *openapi3.T) (operations, error) {
	all := operations{}
	for path, methods := range spec.Paths.Map() {
		byMethod := map[string]*operation{}
		for method, op := range methods.Operations() {
			if op.Security == nil {
				return nil, fmt.Errorf("%s %s: security is not said", method, path)
			}
			o := &operation{id: op.OperationID, access: accessOf(*op.Security), query: map[string]bool{}}
			o.streamed, _ = op.Extensions["x-streamed"].(bool)
			o.route = &routers.Route{Spec: spec, Path: path, PathItem: methods, Method: method, Operation: op}
			for _, p := range slices.Concat(methods.Parameters, op.Parameters) {
				if p.Value.In == openapi3.ParameterInQuery {
					o.query[p.Value.Name] = true
				}
			}
			byMethod[method] = o
		}
		all[echoPath(path)] = byMethod
	}
	return all, nil
}

// accessOf reads the document's rule. What it does not know is the operator's.
func accessOf(rule openapi3.SecurityRequirements) access {
	if len(rule) == 0 {
		return public
	}
	anybody, viewers := false, false
	for _, r := range rule {
		_, v := r["viewer"]
		anybody, viewers = anybody || len(r) == 0, viewers || (v && len(r) == 1)
	}
	switch {
	case anybody && viewers:
		return scraped
	case viewers:
		return viewed
	default:
		return operated
	}
}

// find gives the operation of a request, or why there is none.
func (o operations) find(c echo.Context) (*operation, error) {
	methods, ok := o[c.Path()]
	if !ok {
		return nil, echo.ErrNotFound
	}
	if op, ok := methods[c.Request().Method]; ok {
		return op, nil
	}
	allow := make([]string, 0, len(methods))
	for m := range methods {
		allow = append(allow, m)
	}
	slices.Sort(allow)
	c.Response().Header().Set(echo.HeaderAllow, strings.Join(allow, ", "))
	return nil, echo.NewHTTPError(http.StatusMethodNotAllowed)
}
