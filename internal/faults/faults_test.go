package faults

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

//go:generate go test -run ^TestEachFaultAtEachStepDoesWhatTheTableSays$ . -update

var update = flag.Bool("update", false, "write the generated documentation")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachFaultAtEachStepDoesWhatTheTableSays(t *testing.T) {
	t.Parallel()
	var cells []*outcome
	passed := t.Run("faults", func(t *testing.T) {
		for _, s := range steps() {
			for _, f := range catalogue() {
				if !f.at(s) {
					continue
				}
				cell := new(outcome)
				cells = append(cells, cell)
				t.Run(string(s)+" "+phrase.Text(phrase.English, "faults."+f.id, f.params), func(t *testing.T) {
					t.Parallel()
					*cell = run(t, f, s)
				})
			}
		}
	})
	if !passed {
		return // the table would be of runs that are wrong in themselves
	}
	t.Logf("%d faults at %d steps: %d rows", len(catalogue()), len(steps()), len(cells))
	for lang, name := range map[phrase.Lang]string{phrase.English: "faults.md", phrase.Chinese: "faults.zh-CN.md"} {
		path := filepath.Join("..", "..", "docs", name)
		got := document(lang, cells)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("docs/%s does not say what happens; if what happens is right: go test ./internal/faults -update\n%s", name, diff)
		}
	}
}

func TestEveryFaultAndEveryStepHasWords(t *testing.T) {
	t.Parallel()
	for _, f := range catalogue() {
		if !phrase.Has("faults." + f.id) {
			t.Errorf("fault %s has no phrase", f.id)
		}
	}
	for _, s := range steps() {
		if !phrase.Has("faults.step." + string(s)) {
			t.Errorf("step %s has no phrase", s)
		}
	}
}
