package replicas

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/app"
)

// leaseEnv makes the test's own binary a sidecar with this lease.
const leaseEnv = "REPLICA_LEASE"

// patience is used up by failing tests alone.
const patience = 90 * time.Second

func TestMain(m *testing.M) {
	if text := os.Getenv(leaseEnv); text != "" {
		lease, err := time.ParseDuration(text)
		if err != nil {
			panic(err)
		}
		var environ []string
		for _, e := range os.Environ() {
			if !strings.HasPrefix(e, leaseEnv+"=") {
				environ = append(environ, e)
			}
		}
		os.Exit(app.Main(app.Call{Environ: environ, Stdout: os.Stdout, Stderr: os.Stderr, Seams: app.Seams{Lease: lease}}))
	}
	os.Exit(run(m))
}

var sandboxBin string

func run(m *testing.M) int {
	bin := os.Getenv("HQMS_E2E_BIN")
	if bin == "" {
		dir, err := os.MkdirTemp("", "hqms-replicas-bin")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		bin = dir
		build := exec.Command("go", "build", "-o", dir+"/", "./cmd/...")
		build.Dir = filepath.Join("..", "..", "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
	}
	sandboxBin = filepath.Join(bin, "hqms-sandbox")
	return m.Run()
}

// process is a child with its output kept.
type process struct {
	cmd  *exec.Cmd
	out  *lockedBuffer
	done chan struct{}
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
	p := &process{cmd: exec.Command(path, args...), out: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "TZ=Asia/Shanghai"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.out.String(), "WARNING: DATA RACE") {
			t.Errorf("%d has a data race", p.cmd.Process.Pid)
		}
		if t.Failed() {
			lines := strings.Split(p.out.String(), "\n")
			t.Logf("output of %d:\n%s", p.cmd.Process.Pid, strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	})
	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill is kill -9, and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// eventually polls cond until it holds.
func eventually(t *testing.T, within time.Duration, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
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

// pause waits, or until the test is over.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
