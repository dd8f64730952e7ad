package e2e

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/sabotage"
)

var binDir string

// atOnce is how many tests run at the same time: most of them wait for others.
const atOnce = "8"

func TestMain(m *testing.M) {
	if code, ordered := sabotage.Main(); ordered {
		os.Exit(code)
	}
	flag.Parse()
	explicit, some := false, false
	flag.Visit(func(f *flag.Flag) {
		explicit = explicit || f.Name == "test.parallel"
		some = some || f.Name == "test.run" || f.Name == "test.skip" || f.Name == "test.list"
	})
	if !explicit {
		_ = flag.Set("test.parallel", atOnce)
	}
	code := run(m)
	if n := killed.Load(); code == 0 && !some {
		fmt.Fprintf(os.Stdout, "killed at %d points in all\n", n)
		if n < leastKilled {
			fmt.Fprintf(os.Stdout, "FAIL: want %d at least\n", leastKilled)
			code = 1
		}
	}
	os.Exit(code)
}

func run(m *testing.M) int {
	dir, release, err := process.Binaries(map[string]string{"": "cmd/...", "test": "internal/e2e/sabotage/sidecar"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer release()
	binDir = dir
	return m.Run()
}

// eventually asks until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	process.Eventually(t, process.Patience, what, holds)
}

// sse follows an event stream and calls each with every data line until it
// returns false or the stream ends.
func sse(ctx context.Context, url, token string, each func(data []byte) bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && !each([]byte(data)) {
			return
		}
	}
}
