package httpapi

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestDocumentIsValidOpenAPIExamplesIncluded(t *testing.T) {
	t.Parallel()
	if err := document(t).Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestEmbeddedDocumentIsTheOneAtTheRoot(t *testing.T) {
	t.Parallel()
	root, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(root, api.Document()) {
		t.Error("api/openapi.gen.yaml is stale: run make generate")
	}
}

func TestEveryOperationHasAHandlerAndEveryHandlerAnOperation(t *testing.T) {
	t.Parallel()
	routes := registered(newWorld().server(t, nil))
	for path, methods := range operationsOf(t) {
		for method := range methods {
			if !routes[method+" "+path] {
				t.Errorf("%s %s is described but not served", method, path)
			}
			delete(routes, method+" "+path)
		}
	}
	for r := range routes {
		t.Errorf("%s is served but not described", r)
	}
}

func TestEveryOperationIsDescribed(t *testing.T) {
	t.Parallel()
	for path, item := range document(t).Paths.Map() {
		for method, op := range item.Operations() {
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s lacks its id, summary or tag", method, path)
			}
			for code, r := range op.Responses.Map() {
				if code >= "400" && r.Value.Content["application/problem+json"] == nil {
					t.Errorf("%s %s: %s is no problem", method, path, code)
				}
			}
		}
	}
}

func TestEnumerationsAreTheDomains(t *testing.T) {
	t.Parallel()
	schemas := document(t).Components.Schemas
	for name, want := range map[string][]string{
		"State":    each(upload.States(), func(s upload.State) string { return string(s) }),
		"Verdict":  each(upload.Verdicts(), func(v upload.Verdict) string { return string(v) }),
		"Place":    each(upload.Places(), func(p upload.Place) string { return string(p) }),
		"Severity": {"fatal", "error", "warning"},
	} {
		got := each(schemas[name].Value.Enum, func(v any) string { s, _ := v.(string); return s })
		slices.Sort(got)
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s differs from the domain (-domain +document):\n%s", name, d)
		}
	}
}

func TestUploadListAndStatusHaveTheAgreedMembers(t *testing.T) {
	t.Parallel()
	schemas := document(t).Components.Schemas
	for name, members := range map[string][]string{
		"Upload": {
			"id", "batch_id", "channel", "kind", "filename", "size", "digest", "packed_size", "rows", "charset", "state", "verdict", "reason", "attempt",
			"next_attempt_at", "spotted_at", "updated_at", "finished_at", "receipt", "findings", "trace_id",
		},
		"Tally":      {"fatal", "error", "warning"},
		"UploadList": {"items", "next"},
		"Status":     {"version", "started_at", "ready", "expectations", "channels"},
		"Channel":    {"name", "state", "reason", "server_url", "protocol", "watch_dir", "settle_mode", "backlog", "last_accepted_at"},
		"Backlog":    {"files", "bytes", "oldest_seconds"},
	} {
		for _, m := range members {
			if !slices.Contains(schemas[name].Value.Required, m) {
				t.Errorf("%s always has %s", name, m)
			}
		}
	}
}

func TestEveryProblemHasWordsInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"bad-request", "unauthorized", "cross-site", "operator-token-not-configured", "operator-token-needed", "client-certificate-needed", "not-found",
		"method-not-allowed", "not-possible-now", "payload-too-large", "unsupported-media-type", "unknown-channel", "too-many-requests",
		"unprocessable", "request-timeout", "internal-error", "unavailable", "not-ready", "not-live",
	} {
		if !phrase.Has("problem." + name) {
			t.Errorf("problem %s has no words", name)
		}
	}
}

func TestExamplesOfProblemsSpeakTheSameWords(t *testing.T) {
	t.Parallel()
	for name, r := range document(t).Components.Responses {
		media := r.Value.Content["application/problem+json"]
		if media == nil {
			continue
		}
		p, _ := media.Example.(map[string]any)
		kind, _ := p["type"].(string)
		if title := phrase.Text(phrase.English, "problem."+strings.TrimPrefix(kind, problemType), nil); p["title"] != title {
			t.Errorf("example of %s is titled %v, the program says %q", name, p["title"], title)
		}
	}
}

func TestEveryOperationIsInTheGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range document(t).Paths.Map() {
		for method := range item.Operations() {
			if !bytes.Contains(guide, []byte("| `"+method+" "+path+"` |")) {
				t.Errorf("docs/api.md lacks %s %s", method, path)
			}
		}
	}
}
