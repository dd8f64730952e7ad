// Package api is the Go face of openapi.yaml: the models, the routes on echo,
// the strict server interface that internal/httpapi implements, and a typed
// client. Everything but this file and generate.go is generated; edit
// openapi.yaml at the root of the repository and run "make generate".
//
// The document itself is embedded byte for byte, so that what is served, what
// requests are checked against and what a reader sees are one and the same.
package api

import (
	_ "embed" // for the document
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed openapi.gen.yaml
var document []byte

// Document is openapi.yaml, byte for byte; the caller gets its own copy.
func Document() []byte { return append([]byte(nil), document...) }

// Spec parses the embedded document. It fails only if the build embedded a
// broken one, which the tests rule out. Every call gives its own copy.
func Spec() (*openapi3.T, error) {
	spec, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("load embedded openapi.yaml: %w", err)
	}
	return spec, nil
}
