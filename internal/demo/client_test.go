package demo

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheDemoAsksWithATokenThatTheSidecarInherits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("\ufeff in-a-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, env := range map[string]map[string]string{
		"":          {},
		"operator":  {"API_TOKEN": " operator "},
		"viewer":    {"API_TOKEN": "operator", "API_VIEW_TOKEN": "viewer"},
		"in-a-file": {"API_TOKEN_FILE": path},
	} {
		if got := tokenOf(func(name string) string { return env[name] }); got != want {
			t.Errorf("%v: token %q, want %q", env, got, want)
		}
	}
}
