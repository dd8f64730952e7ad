package dashboard

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

var (
	scriptWord = regexp.MustCompile(`\bt\(\s*'([a-z_0-9.]+)'( \+)?`)
	chosenWord = regexp.MustCompile(`\bt\([^'()]+ \? '([a-z_0-9.]+)' : '([a-z_0-9.]+)'\)`)
	pageWord   = regexp.MustCompile(`data-t="([a-z_0-9.]+)"`)
)

// plain is what an asset holds.
func plain(t *testing.T, a Asset) string {
	t.Helper()
	var b strings.Builder
	if err := a.unpack(&b); err != nil || b.Len() != a.size {
		t.Fatalf("unpacked %d of %d bytes: %v", b.Len(), a.size, err)
	}
	return b.String()
}

// used finds the words the pages ask for, and the beginnings of those they put
// together.
func used(t *testing.T) (whole, beginnings map[string]bool) {
	t.Helper()
	whole, beginnings = map[string]bool{}, map[string]bool{}
	for name, a := range assets() {
		text := plain(t, a)
		switch {
		case strings.HasSuffix(name, ".html"):
			for _, m := range pageWord.FindAllStringSubmatch(text, -1) {
				whole[m[1]] = true
			}
		case strings.HasSuffix(name, ".js"):
			for _, m := range scriptWord.FindAllStringSubmatch(text, -1) {
				if m[2] != "" {
					beginnings[m[1]] = true
				} else {
					whole[m[1]] = true
				}
			}
			for _, m := range chosenWord.FindAllStringSubmatch(text, -1) {
				whole[m[1]], whole[m[2]] = true, true
			}
		}
	}
	return whole, beginnings
}

func TestEveryWordOfThePagesIsInTheCatalogueAndEachOfThoseIsUsed(t *testing.T) {
	t.Parallel()
	whole, beginnings := used(t)
	for id := range whole {
		if !phrase.Has(wordPrefix + id) {
			t.Errorf("%s is used but not in the catalogue", id)
		}
	}
	for b := range beginnings {
		if len(phrase.IDs(wordPrefix+b)) == 0 {
			t.Errorf("nothing in the catalogue begins with %s", b)
		}
	}
	for id := range words(phrase.English) {
		fits := whole[id]
		for b := range beginnings {
			fits = fits || strings.HasPrefix(id, b)
		}
		if !fits {
			t.Errorf("%s is in the catalogue but not used", id)
		}
	}
}

func TestScriptsMakeNoMarkupAndPagesHoldNoScript(t *testing.T) {
	t.Parallel()
	for name, a := range assets() {
		for _, no := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "<style", "style=", "onclick=", "javascript:", "?.", "??"} {
			if !strings.HasPrefix(name, "words.") && strings.Contains(plain(t, a), no) {
				t.Errorf("%s holds %s", name, no)
			}
		}
		if strings.HasSuffix(name, ".html") && regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(plain(t, a)) {
			t.Errorf("%s holds a script of its own", name)
		}
	}
}

func TestAllThatABrowserFetchesIsSmall(t *testing.T) {
	t.Parallel()
	total := 0
	for _, a := range assets() {
		total += len(a.packed)
	}
	if total > 60<<10 { // 150 KB is promised for pages and data together
		t.Errorf("%d bytes", total)
	}
	t.Logf("%d bytes packed", total)
}

func TestAnAssetIsSentPackedAndOnlyOnce(t *testing.T) {
	t.Parallel()
	get := func(header map[string]string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), httptest.NewRecorder()
		for k, v := range header {
			r.Header.Set(k, v)
		}
		Serve(w, r, Page)
		return w
	}
	plain, packed := get(nil), get(map[string]string{"Accept-Encoding": "gzip, br"})
	if plain.Body.Len() != assets()[Page].size || plain.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("plain: %d bytes, %v", plain.Body.Len(), plain.Header())
	}
	if plain.Header().Get("Content-Encoding") != "" || packed.Header().Get("Content-Encoding") != "gzip" || plain.Body.Len() <= packed.Body.Len() {
		t.Errorf("plain %d, packed %d %v", plain.Body.Len(), packed.Body.Len(), packed.Header())
	}
	if !strings.Contains(plain.Body.String(), phrase.Text(phrase.Chinese, "ui.title", nil)) || strings.Contains(plain.Body.String(), "VERSION") {
		t.Error("the page has no words before its script has run, or no version")
	}
	again := get(map[string]string{"If-None-Match": plain.Header().Get("Etag")})
	if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("sent again: %d, %d bytes", again.Code, again.Body.Len())
	}
}

func TestAPartIsKeptByTheBrowserUntilThereIsAnother(t *testing.T) {
	t.Parallel()
	page := plain(t, assets()[Page])
	parts := regexp.MustCompile(`(?:src|href)="(/ui/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(parts) < 4 {
		t.Fatalf("parts: %v", parts)
	}
	for _, m := range parts {
		for _, address := range []string{m[1], strings.Replace(m[1], "?v=", "?v=0", 1)} {
			r, w := httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil), httptest.NewRecorder()
			Serve(w, r, strings.TrimPrefix(r.URL.Path, "/ui/"))
			if kept := strings.Contains(w.Header().Get("Cache-Control"), "immutable"); kept != (address == m[1]) {
				t.Errorf("%s: %s", address, w.Header().Get("Cache-Control"))
			}
		}
	}
}
