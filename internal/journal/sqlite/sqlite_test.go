package sqlite_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/journaltest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
)

// holdEnv makes the test binary a process that holds the journal of a directory.
const holdEnv = "JOURNAL_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		holdUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, o journal.Options) *journal.Journal { return openIn(t, t.TempDir(), o) }

func openIn(t testing.TB, dir string, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := sqlite.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func TestJournalKeepsTheContract(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, open)
}

func TestEveryConstraintIsProven(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`CONSTRAINT (\w+)|RAISE\(ABORT, '([^']+)'`)
	proven := journaltest.Laws()
	found := 0
	for _, f := range files {
		b, err := os.ReadFile("migrations/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(b), -1) {
			found++
			if name := strings.TrimSpace(m[1] + m[2]); !slices.Contains(proven, name) {
				t.Errorf("no statement of the suite breaks %q", name)
			}
		}
	}
	if found < 40 {
		t.Fatalf("found %d constraints: has the spelling changed?", found)
	}
}
