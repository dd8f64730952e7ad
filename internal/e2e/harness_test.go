package e2e

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/sabotage"
)

// patience is how long a test waits for what must come; it is generous since
// these machines are shared, and only a failing test uses it up.
const patience = 3 * time.Minute

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
	binDir = os.Getenv("HQMS_E2E_BIN")
	if binDir == "" {
		dir, err := os.MkdirTemp("", "hqms-e2e-bin")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binDir = dir
		for to, from := range map[string]string{"": "./cmd/...", "test": "./internal/e2e/sabotage/sidecar"} {
			build := exec.Command("go", "build", "-o", filepath.Join(dir, to)+"/", from)
			build.Dir = filepath.Join("..", "..")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
				return 1
			}
		}
	}
	return m.Run()
}

// process is a child with its output kept.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  *lockedBuffer
	done chan struct{}
	err  error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, path string, args, env []string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(path), cmd: exec.Command(path, args...), out: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TZ=Asia/Shanghai"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.out.String(), "WARNING: DATA RACE") {
			t.Errorf("%s has a data race", p.name)
		}
		if t.Failed() {
			t.Logf("output of %s:\n%s", p.name, tail(p.out.String(), 80))
		}
	})
	return p
}

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// kill is kill -9, and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// terminate is SIGTERM, and waits for the end.
func (p *process) terminate() error {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		p.t.Fatalf("%s does not end on SIGTERM", p.name)
		return nil
	}
}

// exited waits for the process to end by itself.
func (p *process) exited() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
		return 0
	}
}

// eventually polls cond until it holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
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
