package httpapi

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
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
	if n := strings.Count(strings.ReplaceAll(page, `<script src="/ui/docs.js"></script>`, ""), "<script"); n != 0 {
		t.Errorf("the page holds %d scripts of its own", n)
	}
	for _, no := range []string{"style=", "onclick", "http://www", "%!", "ZgotmplZ"} {
		if strings.Contains(page, no) {
			t.Errorf("the page holds %s", no)
		}
	}
	t.Logf("%d bytes", len(page))
}

func TestTheDocumentationIsInTheLanguageAskedFor(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for lang, want := range map[string][2]string{
		"": {`<html lang="zh-CN">`, "查找报送记录"}, "?lang=zh": {`<html lang="zh-CN">`, "查找报送记录"}, "?lang=fr": {`<html lang="zh-CN">`, "查找报送记录"}, "?lang=en": {`<html lang="en">`, "Find uploads"},
	} {
		page := string(call(t, s, request{method: http.MethodGet, path: "/docs" + lang, token: "-"}).body)
		if !strings.Contains(page, want[0]) || !strings.Contains(page, want[1]) {
			t.Errorf("%q is not %s", lang, want[0])
		}
	}
}

func TestEveryTextOfTheDocumentHasItsChinese(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(document(t))
	if err != nil {
		t.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	if n := untold(t, "", all); n < 300 {
		t.Errorf("only %d texts were found", n)
	}
}

var han = regexp.MustCompile(`\p{Han}`)

// untold fails for each text of a part that has no Chinese beside it, and counts
// them all.
func untold(t *testing.T, path string, part any) (texts int) {
	t.Helper()
	switch p := part.(type) {
	case map[string]any:
		for _, key := range []string{"description", "summary"} {
			english, isText := p[key].(string)
			if !isText {
				continue
			}
			texts++
			if chinese, _ := p["x-"+key+"-zh"].(string); !han.MatchString(chinese) {
				t.Errorf("%s: no x-%s-zh beside %q", path, key, english)
			}
		}
		for name, q := range p {
			texts += untold(t, path+"/"+name, q)
		}
	case []any:
		for i, q := range p {
			texts += untold(t, path+"/"+strconv.Itoa(i), q)
		}
	}
	return texts
}

func TestProseOfTheDocumentIsEscapedFirst(t *testing.T) {
	t.Parallel()
	if got := string(prose("a `<b>` **c**\n\n<script>")); got != "<p>a <code>&lt;b&gt;</code> <strong>c</strong></p><p>&lt;script&gt;</p>" {
		t.Error(got)
	}
}
