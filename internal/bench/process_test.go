package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// sidecar is a running sidecar with both channels on, and its directories.
type sidecar struct {
	cmd              *exec.Cmd
	base             string // of the API
	flu, hqms, state string
	began            time.Time
	ended            chan struct{}
	out              *process.Output
}

// home makes the directories of a sidecar, all on one file system.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hqms-bench-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, sub := range []string{"flu", "hqms", "state"} {
		must(t, os.Mkdir(filepath.Join(dir, sub), 0o750))
	}
	return dir
}

// sidecar starts one and returns at once; it is ended with the test.
func (b *bench) sidecar(ctx context.Context, t *testing.T, dir, server string, env ...string) *sidecar {
	t.Helper()
	addr := freeAddr(ctx, t)
	s := &sidecar{
		base: "http://" + addr, flu: filepath.Join(dir, "flu"), hqms: filepath.Join(dir, "hqms"), state: filepath.Join(dir, "state"),
		ended: make(chan struct{}),
	}
	s.cmd = exec.CommandContext(ctx, filepath.Join(b.bin, "hqms-sidecar"))
	s.cmd.Env = append([]string{
		"LISTEN_ADDR=" + addr, "STATE_DIR=" + s.state, "TZ=Asia/Shanghai", "LOG_LEVEL=error", "PROFILE_DIR=" + os.Getenv("PROFILE_DIR"),
		"FLU_WATCH_DIR=" + s.flu, "FLU_ACCOUNT=demo", "FLU_PASSWORD=demo", "FLU_SERVER_URL=" + server + "/flu/",
		"HQMS_WATCH_DIR=" + s.hqms, "HQMS_ACCOUNT=demo", "HQMS_PASSWORD=demo", "HQMS_SERVER_URL=" + server + "/hqms/",
	}, env...)
	s.out = &process.Output{}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.began = time.Now()
	must(t, s.cmd.Start())
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("output of the sidecar:\n%s", s.out)
		}
	})
	return s
}

// stop ends it in order, and waits.
func (s *sidecar) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// ready waits until the sidecar can take files and tells how long that was from
// before its process began.
func (s *sidecar) ready(ctx context.Context, t *testing.T) time.Duration {
	t.Helper()
	return answers(ctx, t, s.base+"/readyz", s.ended).Sub(s.began)
}

// answers polls url until it answers 200, and gives the moment.
func answers(ctx context.Context, t *testing.T, url string, ended <-chan struct{}) time.Time {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		must(t, err)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return time.Now()
			}
		}
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-ended:
			t.Fatal("the process ended before it was ready")
		case <-tick.C:
		}
	}
}

// sandbox starts the server to try against and gives its base URL.
func (b *bench) sandbox(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	addr := freeAddr(ctx, t)
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "hqms-sandbox"), append([]string{"serve", "-listen", addr, "-step", "1ms"}, args...)...)
	cmd.Env = append(os.Environ(), "GOGC=400") // its garbage is not what is measured
	must(t, cmd.Start())
	b.server = cmd.Process.Pid
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	answers(ctx, t, "http://"+addr+"/healthz", ended)
	b.base = "http://" + addr
	return b.base
}

func freeAddr(ctx context.Context, t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// memory reads a line of /proc/<pid>/status, in MiB.
func (s *sidecar) memory(t *testing.T, field string) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			must(t, err)
			return kb / 1024
		}
	}
	t.Fatalf("no %s in /proc", field)
	return 0
}

// cpu is the processor time used so far, user and system: that of every thread,
// which the kernel tells to the nanosecond.
func (s *sidecar) cpu(t *testing.T) time.Duration {
	t.Helper()
	return cpuOf(t, s.cmd.Process.Pid)
}

func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	must(t, err)
	var total time.Duration
	for _, path := range threads {
		text, err := os.ReadFile(path)
		must(t, err)
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		must(t, err)
		total += time.Duration(ns)
	}
	return total
}

// written is how many bytes the process made the disk take.
func (s *sidecar) written(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", s.cmd.Process.Pid))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "write_bytes:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			must(t, err)
			return n
		}
	}
	return 0
}
