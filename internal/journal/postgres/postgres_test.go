package postgres_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/journaltest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres/postgrestest"
)

// The server that most tests share, each with a schema of its own.
var (
	server  *postgrestest.Server
	missing error
	schemas atomic.Int64
)

func TestMain(m *testing.M) {
	server, missing = postgrestest.Start(context.Background())
	if missing != nil {
		fmt.Fprintf(os.Stderr, "\n*** the PostgreSQL journal is NOT TESTED: %v ***\n\n", missing)
	}
	code := m.Run()
	if server != nil {
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// newSchema makes an empty schema and gives the address that leads there.
func newSchema(t testing.TB) (url string) {
	t.Helper()
	if missing != nil {
		postgrestest.Skip(t, missing)
	}
	name := fmt.Sprintf("test_%d", schemas.Add(1))
	exec(t, server.URL(""), `CREATE SCHEMA `+name)
	return server.URL(name)
}

// exec runs a statement beside the journal.
func exec(t testing.TB, url, statement string, args ...any) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, statement, args...); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, o journal.Options) *journal.Journal {
	t.Helper()
	return openAt(t, newSchema(t), o)
}

func openAt(t testing.TB, url string, o journal.Options) *journal.Journal {
	t.Helper()
	return openBy(t, url, postgres.Options{Options: o})
}

// openBy opens with options of the package's own; the address is url.
func openBy(t testing.TB, url string, o postgres.Options) *journal.Journal {
	t.Helper()
	o.URL = func() string { return url }
	j, err := postgres.Open(t.Context(), o)
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
	named := regexp.MustCompile(`CONSTRAINT (\w+)|hqms_refuse\('([^']+)'`)
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
