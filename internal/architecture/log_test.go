package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

// saying are the calls that write a line, by the place of its message.
var saying = map[string]int{"Debug": 0, "DebugContext": 1, "Info": 0, "Warn": 0, "Error": 0, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1, "Log": 2, "LogAttrs": 2}

// silent are the packages whose lines are not the sidecar's.
var silent = []string{"bench", "chaos", "demo", "sandbox", "e2e", "faults", "compose", "image", "chart", "licences", "exporter", "transmittest"}

func TestWhatTheLogSaysHasWordsInBothLanguages(t *testing.T) {
	t.Parallel()
	said := map[string]string{} // and where
	for _, root := range []string{"../../internal", "../../cmd/hqms-sidecar"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() && slices.Contains(silent, d.Name()) {
				return or(err, filepath.SkipDir)
			}
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				messages(t, path, said)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for message, where := range said {
		if !phrase.Has("log." + message) {
			t.Errorf("%s logs %q, which is not in internal/phrase/log.csv", where, message)
		}
	}
	for _, id := range phrase.IDs("log.") {
		if said[strings.TrimPrefix(id, "log.")] == "" {
			t.Errorf("nothing logs %q any more", id)
		}
	}
	if len(said) < 50 {
		t.Errorf("only %d messages were found", len(said))
	}
}

func or(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// messages notes what a file logs: constant texts in the place of a message.
func messages(t *testing.T, path string, said map[string]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		at, known := saying[selector.Sel.Name]
		if !known || len(call.Args) <= at {
			return true
		}
		if text, ok := call.Args[at].(*ast.BasicLit); ok && text.Kind == token.STRING {
			if message, err := strconv.Unquote(text.Value); err == nil {
				said[message] = path
			}
		}
		return true
	})
}
