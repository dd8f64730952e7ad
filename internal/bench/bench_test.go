package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// patience bounds each wait; only a broken product uses it up.
const patience = 10 * time.Minute

// TestBench measures one thing after the other, so that nothing disturbs what is
// being measured, and shows one table at the end.
func TestBench(t *testing.T) { //nolint:paralleltest // see above
	if os.Getenv("HQMS_BENCH") == "" {
		t.Log("HQMS_BENCH is not set: nothing is measured")
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	b := &bench{bin: binaries(ctx, t), standards: library(t), load: load()}
	chosen := strings.FieldsFunc(os.Getenv("HQMS_BENCH_PARTS"), func(r rune) bool { return r == ',' || r == ' ' })
	for _, part := range []struct {
		name string
		run  func(context.Context, *testing.T)
	}{
		{"start", b.start},
		{"claim", b.claim},
		{"scan", b.scan},
		{"drain", b.drain},
		{"inflight", b.inFlight},
		{"rows", b.rows},
		{"tools", b.tools},
		{"pass", b.pass},
		{"link", b.link},
		{"large", b.large},
		{"idle", b.idle},
	} {
		if len(chosen) > 0 && !slices.Contains(chosen, part.name) {
			continue
		}
		t.Run(part.name, func(t *testing.T) { part.run(ctx, t) })
	}
	b.show(t)
	b.gate(t)
}

// bench is one run.
type bench struct {
	bin       string
	server    int    // process of the latest sandbox
	base      string // its URL
	standards *standard.Library
	load      string // of the machine at the beginning
	figures   []figure
}

func library(t *testing.T) *standard.Library {
	t.Helper()
	lib, err := standard.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// binaries gives the directory of the built binaries.
func binaries(ctx context.Context, t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("HQMS_E2E_BIN"); dir != "" {
		return dir
	}
	dir := t.TempDir()
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", dir+"/", "./cmd/...")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// setting reads a whole number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// pause waits for the passing of time where that is what is measured.
func pause(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fileName(n int) string { return fmt.Sprintf("flu_%05d.csv", n) }
