package architecture

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hqms-sidecar/hqms-sidecar/"

// mayImport says which of our own packages a package may import. A package that
// is not listed fails the test: its place in the house has to be decided.
var mayImport = map[string][]string{
	"internal/upload":              {},
	"internal/durable":             {"internal/upload"},
	"internal/durable/durabletest": {"internal/upload", "internal/durable"},
	"internal/phrase":              {},
	"internal/pace":                {},
	"internal/sheet":               {},

	"internal/standard":              {"internal/upload", "internal/phrase"},
	"internal/standard/synthetic":    {"internal/upload", "internal/standard"},
	"internal/validate":              {"internal/upload", "internal/durable", "internal/standard", "internal/phrase"},
	"internal/validate/report":       {"internal/sheet", "internal/upload", "internal/standard", "internal/phrase", "internal/validate"},
	"internal/watch":                 stage,
	"internal/settle":                stage,
	"internal/pack":                  {"internal/upload", "internal/durable", "internal/standard", "internal/phrase", "internal/pack/optimal"},
	"internal/pack/optimal":          {},
	"internal/transmit":              stage,
	"internal/transmit/probe":        {"internal/upload"},
	"internal/transmit/hqms":         {"internal/upload", "internal/transmit", "internal/transmit/probe"},
	"internal/transmit/transmittest": {"internal/upload", "internal/transmit"},
	"internal/confirm":               stage,
	"internal/retire":                stage,
	"internal/channel":               {"internal/upload"},

	"internal/journal":                       {"internal/upload"},
	"internal/journal/sqlite":                {"internal/upload", "internal/journal"},
	"internal/journal/postgres":              {"internal/upload", "internal/journal"},
	"internal/journal/postgres/postgrestest": {},
	"internal/journal/journaltest":           {"internal/upload", "internal/journal"},
	"internal/calendar":                      {"internal/upload"},
	"internal/reconcile":                     {"internal/upload", "internal/journal"},
	"internal/reconcile/statement":           {"internal/upload", "internal/phrase", "internal/calendar", "internal/reconcile"},
	"internal/recovery":                      {"internal/upload", "internal/durable"},
	"internal/pipeline":                      {"internal/upload", "internal/journal"},

	"internal/alert": {"internal/upload", "internal/journal", "internal/phrase", "internal/pace"},

	"api":                            {},
	"internal/dashboard":             {"internal/phrase"},
	"internal/httpapi":               {"api", "internal/dashboard", "internal/sheet", "internal/upload", "internal/journal", "internal/phrase", "internal/calendar", "internal/reconcile", "internal/reconcile/statement", "internal/alert"},
	"internal/config":                {"internal/upload", "internal/phrase", "internal/pace", "internal/calendar"},
	"internal/telemetry":             {"internal/upload"},
	"internal/check":                 {"internal/upload", "internal/phrase", "internal/durable", "internal/config"},
	"internal/sandbox":               {"internal/upload", "internal/standard", "internal/validate", "internal/phrase"},
	"internal/exporter":              {"internal/upload", "internal/standard", "internal/standard/synthetic"},
	"internal/demo":                  {"api", "internal/upload", "internal/sandbox", "internal/exporter", "internal/standard", "internal/phrase"},
	"internal/e2e":                   anything,
	"internal/e2e/docker":            anything,
	"internal/e2e/replicas":          anything,
	"internal/e2e/browser":           anything,
	"internal/e2e/process":           {},
	"internal/e2e/sabotage":          {"internal/app", "internal/durable"},
	"internal/e2e/sabotage/sidecar":  {"internal/e2e/sabotage"},
	"internal/e2e/k8s":               anything,
	"internal/e2e/k8s/cluster/pause": {},
	"internal/chart":                 {"internal/config"},
	"internal/compose":               {"internal/config"},
	"internal/licences":              {},
	"internal/image":                 {"internal/licences"},
	"internal/image/mkimage":         {"internal/image"},
	"internal/bench":                 anything,
	"internal/e2e/observer":          {"internal/upload", "internal/durable", "internal/journal", "internal/journal/sqlite", "internal/recovery"},
	"internal/faults":                anything,
	"internal/chaos":                 anything,
	"internal/app":                   anything,
	"cmd/hqms-sidecar":               {"internal/app"},
	"cmd/hqms-sandbox":               {"internal/sandbox", "internal/exporter", "internal/demo", "internal/standard", "internal/upload"},
	"internal/architecture":          {},
}

var (
	stage    = []string{"internal/upload", "internal/durable", "internal/standard", "internal/phrase"}
	anything = []string{"*"}
)

// fences say where alone a library may be used, and why.
var fences = []struct {
	library string
	where   []string
	why     string
}{
	{"github.com/labstack/echo", []string{"api", "internal/httpapi", "internal/dashboard"}, "so that the next major version of echo is a small step"},
	{"github.com/fsnotify/fsnotify", []string{"internal/watch"}, "events are a hint; everybody else sees sightings"},
	{"github.com/klauspost/compress", []string{"internal/pack"}, "how bytes are packed is pack's secret"},
	{"github.com/caarlos0/env", []string{"internal/config"}, "nobody else reads the environment"},
	{"modernc.org/sqlite", []string{"internal/journal/sqlite"}, "a driver belongs to its journal"},
	{"github.com/jackc/pgx", []string{"internal/journal/postgres"}, "a driver belongs to its journal"},
	{"github.com/pressly/goose", []string{"internal/journal", "internal/journal/sqlite", "internal/journal/postgres"}, "migrations belong to the journal"},
	{"golang.org/x/crypto/x509roots", []string{"internal/image"}, "whom the images trust is said in one place"},
	{"github.com/Shopify/toxiproxy", []string{"internal/chaos"}, "it is for breaking things, never part of the product"},
	{"github.com/chromedp", []string{"internal/e2e/browser"}, "a browser to test with, never part of the product"},
	{"github.com/hanwen/go-fuse", []string{"internal/e2e"}, "a network file system to test on, never part of the product"},
	{"go.opentelemetry.io/otel/sdk", []string{"internal/telemetry"}, "everybody else sees the API, or nothing"},
	{"go.opentelemetry.io/contrib", []string{"internal/telemetry"}, "everybody else sees the API, or nothing"},
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	for pkg, imports := range packages(t) {
		allowed, listed := mayImport[pkg]
		if !listed {
			t.Errorf("%s has no place in the plan: list it in mayImport with what it may import", pkg)
			continue
		}
		for _, imp := range imports {
			own, ours := strings.CutPrefix(imp, module)
			if ours && !slices.Contains(allowed, "*") && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s; it may import %v", pkg, own, allowed)
			}
		}
	}
}

func TestLibrariesStayBehindTheirFences(t *testing.T) {
	t.Parallel()
	for pkg, imports := range packages(t) {
		for _, imp := range imports {
			for _, f := range fences {
				if strings.HasPrefix(imp, f.library) && !slices.Contains(f.where, pkg) {
					t.Errorf("%s imports %s, which belongs to %v: %s", pkg, imp, f.where, f.why)
				}
			}
		}
	}
}

func TestDomainUsesTheStandardLibraryAlone(t *testing.T) {
	t.Parallel()
	for _, imp := range packages(t)["internal/upload"] {
		if strings.Contains(imp, ".") {
			t.Errorf("internal/upload imports %s: the domain needs nothing but the standard library", imp)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	for pkg := range packages(t) {
		if strings.HasPrefix(pkg, "cmd/") || pkg == "api" {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, pkg, "doc.go")); err != nil {
			t.Errorf("%s has no doc.go", pkg)
		}
	}
}

// writesCSV are the only packages that may: what people open in a spreadsheet is
// made by sheet, synthetic makes files for servers.
var writesCSV = []string{"internal/sheet", "internal/standard/synthetic"}

func TestTablesAreWrittenWhereTheirCellsAreMadeSafe(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	for pkg, imports := range packages(t) {
		if slices.Contains(writesCSV, pkg) || !slices.Contains(imports, "encoding/csv") {
			continue
		}
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") && strings.Contains(string(content), "csv.NewWriter") {
				t.Errorf("%s writes CSV by itself; internal/sheet keeps cells from being run as formulas", file)
			}
		}
	}
}

// packages gives the imports of every package of the module, tests left out.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	root := moduleRoot(t)
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" || rel == "tools" || rel == "bin") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		if found[pkg] == nil {
			found[pkg] = map[string]bool{}
		}
		for _, imp := range parsed.Imports {
			found[pkg][strings.Trim(imp.Path.Value, `"`)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	result := map[string][]string{}
	for pkg, imports := range found {
		result[pkg] = slices.Sorted(maps.Keys(imports))
	}
	return result
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}
