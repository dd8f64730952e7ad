package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestTheDocumentationShowsEveryCallWithAnExampleAndRunsNothing(t *testing.T) {
	t.Parallel()
	got := call(t, newWorld().server(t, nil), request{method: http.MethodGet, path: "/docs", token: "-"})
	page := string(got.body)
	if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, %s", got.status, got.header.Get("Content-Type"))
	}
	for path, item := range document(t).Paths.Map() {
		for method, op := range item.Operations() {
			_, example, _ := strings.Cut(page, `data-operation="`+op.OperationID+`">`)
			example, _, _ = strings.Cut(example, "</pre>")
			if !strings.HasPrefix(example, "curl -fsS ") || strings.ContainsAny(example, "{}<") && op.RequestBody == nil || strings.Contains(example, "nil") {
				t.Errorf("%s %s has no good example: %s", method, path, example)
			}
		}
	}
	for _, no := range []string{"<script", "style=", "onclick", "http://www", "%!", "ZgotmplZ"} {
		if strings.Contains(page, no) {
			t.Errorf("the page holds %s", no)
		}
	}
	t.Logf("%d bytes", len(page))
}

func TestProseOfTheDocumentIsEscapedFirst(t *testing.T) {
	t.Parallel()
	if got := string(prose("a `<b>` **c**\n\n<script>")); got != "<p>a <code>&lt;b&gt;</code> <strong>c</strong></p><p>&lt;script&gt;</p>" {
		t.Error(got)
	}
}
