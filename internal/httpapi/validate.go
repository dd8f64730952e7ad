package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"
)

// validator checks requests against the document.
type validator struct {
	operations operations
	options    openapi3filter.Options
}

func newValidator(ops operations) *validator {
	return &validator{operations: ops, options: openapi3filter.Options{
		MultiError:                        true,
		KeepValidatedValue:                true, // the handler gets the very value that was checked
		RejectWhenRequestBodyNotSpecified: true,
		AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc, // the gatekeeper has done it
	}}
}

func (v *validator) check(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		op, err := v.operations.find(c)
		if err != nil {
			return err
		}
		if op.access < viewed {
			return next(c) // probes and metrics take no notice of parameters that a prober adds
		}
		req := c.Request()
		query, err := url.ParseQuery(req.URL.RawQuery)
		if err != nil {
			return &problem{status: http.StatusBadRequest, name: "bad-request", detail: "the query cannot be read"}
		}
		options, body := v.options, req.Body
		options.ExcludeRequestBody = op.streamed
		if op.streamed {
			req.Body = http.NoBody // the checker would take it into memory whole
		} else if err := readBody(req); err != nil {
			return err
		}
		misfits := unknown(query, op.query)
		in := &openapi3filter.RequestValidationInput{Request: req, PathParams: map[string]string{}, QueryParams: query, Route: op.route, Options: &options}
		for i, name := range c.ParamNames() {
			in.PathParams[name] = c.ParamValues()[i]
		}
		if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
			found, err := misfitsOf(err, nil)
			if err != nil {
				return err
			}
			misfits = append(misfits, found...)
		}
		if op.streamed {
			req.Body = body
		}
		if len(misfits) > 0 {
			return &problem{status: http.StatusBadRequest, name: "bad-request", misfits: misfits}
		}
		return next(c)
	}
}

// readBody takes the whole body into memory, as far as the limit allows, so that
// what goes wrong with the connection is told from what is wrong with the body.
func readBody(req *http.Request) error {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(incoming{req.Body})
	if err != nil {
		return err
	}
	req.Body, req.ContentLength = http.NoBody, int64(len(body))
	if len(body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	return nil
}

// incoming is a body as it comes. What it ends with is the client's to know.
type incoming struct{ io.Reader }

// Read implements io.Reader.
func (i incoming) Read(b []byte) (int, error) {
	n, err := i.Reader.Read(b)
	return n, brokenOff(err)
}

// brokenOff says what became of a body that cannot be read to its end.
func brokenOff(err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // readers return it as it is
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &problem{status: http.StatusRequestTimeout, name: "request-timeout"}
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
	}
	return &problem{status: http.StatusBadRequest, name: "bad-request", detail: "the body broke off"}
}

// unknown lists parameters that the operation does not have: a misspelt filter
// must not pass for none.
func unknown(query url.Values, known map[string]bool) []misfit {
	var m []misfit
	for name := range query {
		if !known[name] {
			m = append(m, misfit{"query", name, "there is no such parameter"})
		}
	}
	return m
}

// misfitsOf says in our own words where the request does not fit, never
// repeating a value. at is the request error that err was found under. The error
// it returns is one that is answered otherwise than by 400.
func misfitsOf(err error, at *openapi3filter.RequestError) ([]misfit, error) {
	var all []misfit
	switch e := err.(type) { //nolint:errorlint // a tree of errors is walked node by node
	case openapi3.MultiError:
		for _, one := range e {
			found, err := misfitsOf(one, at)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		return all, nil
	case *openapi3filter.RequestError:
		if strings.HasPrefix(e.Reason, "header Content-Type") {
			return nil, echo.ErrUnsupportedMediaType
		}
		if e.Err != nil {
			return misfitsOf(e.Err, e)
		}
		return []misfit{place(e, "", "does not fit")}, nil
	case *openapi3.SchemaError:
		return []misfit{place(at, "/"+strings.Join(e.JSONPointer(), "/"), e.Reason)}, nil
	case *openapi3filter.ParseError:
		return []misfit{place(at, "", "cannot be read as what it should be")}, nil
	default:
		return []misfit{place(at, "", "does not fit")}, nil
	}
}

func place(e *openapi3filter.RequestError, pointer, detail string) misfit {
	if e != nil && e.Parameter != nil {
		return misfit{e.Parameter.In, e.Parameter.Name, detail}
	}
	if pointer == "" {
		pointer = "/"
	}
	return misfit{"body", pointer, detail}
}
