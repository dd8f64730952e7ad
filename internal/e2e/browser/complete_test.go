package browser

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/api"
)

// deed is what makes a button of an action in the scripts.
var deed = regexp.MustCompile(`ui\.action\(t\('([a-z_.]+)'\)`)

// deeds are the words of the buttons that do something.
func deeds(t *testing.T) []string {
	t.Helper()
	scripts, err := filepath.Glob("../../dashboard/web/*.js")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts: %v %v", scripts, err)
	}
	var all []string
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range deed.FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
	}
	if len(all) < 8 {
		t.Fatalf("actions found in the scripts: %v", all)
	}
	return all
}

// hasDoneAll fails for a button that was not clicked, for a call that changes
// something which the page never made, and for one of the head's buttons.
func (b *tab) hasDoneAll() {
	b.t.Helper()
	for _, id := range append(deeds(b.t), "theme", "other_language", "logout", "search") {
		if !b.clicked[id] {
			b.fails("nobody has clicked %q", id)
		}
	}
	spec, err := api.Spec()
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for path, item := range spec.Paths.Map() {
		for method := range item.Operations() {
			if method != http.MethodGet && !b.hasAsked(method, path) {
				b.fails("%s %s was never asked for", method, path)
			}
		}
	}
}

var pathParameter = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

func (b *tab) hasAsked(method, path string) bool {
	want := regexp.MustCompile("^" + method + " " + pathParameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/?]+") + `(\?|$)`)
	for asked := range b.acted {
		if want.MatchString(asked) {
			return true
		}
	}
	return false
}
