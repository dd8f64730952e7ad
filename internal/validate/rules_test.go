package validate

import (
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

func TestEveryRuleHasWordsAndARemedy(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, r := range Rules(library(t), "") {
		known[r.ID] = true
		for _, id := range []string{"rule." + r.ID, "fix." + r.ID} {
			if !phrase.Has(id) {
				t.Errorf("no phrase %s", id)
			}
		}
	}
	for _, prefix := range []string{"rule.", "fix."} {
		for _, id := range phrase.IDs(prefix) {
			if !known[id[len(prefix):]] {
				t.Errorf("phrase %s names no rule", id)
			}
		}
	}
}
