package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

const account = "13800000000"

// server is the sandbox, as a process of its own that keeps its state.
type server struct {
	t      *testing.T
	ground *ground
	addr   string
	log    *os.File

	mu       sync.Mutex
	cmd      *exec.Cmd
	password int // its number
}

func newServer(t *testing.T, g *ground) *server {
	t.Helper()
	s := &server{t: t, ground: g, addr: freeAddr(t)}
	var err error
	s.log, err = os.Create(filepath.Join(g.base, "sandbox.log"))
	g.must(err)
	s.publish(0)
	s.start()
	t.Cleanup(func() { s.stop(); _ = s.log.Close() })
	return s
}

func password(n int) string { return fmt.Sprintf("password-%d", n) }

// start starts it and waits until it answers.
func (s *server) start() {
	s.mu.Lock()
	s.cmd = exec.Command(filepath.Join(s.ground.bin, "hqms-sandbox"), "serve", "-listen", s.addr, "-data", filepath.Join(s.ground.base, "sandbox"),
		"-step", "1ms", "-accept-duplicates", "-account", account, "-password", password(s.password))
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	err := s.cmd.Start()
	s.mu.Unlock()
	if err != nil {
		s.t.Errorf("start the sandbox: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for s.call(ctx, http.MethodGet, "/healthz", nil, nil) != nil {
		if !wait(ctx, 20*time.Millisecond) {
			s.t.Error("the sandbox does not answer")
			return
		}
	}
}

// stop is kill -9.
func (s *server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	s.cmd = nil
}

func (s *server) away(ctx context.Context, d time.Duration) {
	s.stop()
	wait(ctx, d)
	s.start()
}

// rotate changes the password, at the server and in the sidecar's secret, with
// d between the two.
func (s *server) rotate(ctx context.Context, d time.Duration, serverFirst bool) {
	s.mu.Lock()
	s.password++
	n := s.password
	s.mu.Unlock()
	if !serverFirst {
		s.publish(n)
		wait(ctx, d)
	}
	s.stop()
	s.start()
	if serverFirst {
		wait(ctx, d)
		s.publish(n)
	}
}

// publish puts the password into the secret as Kubernetes does: a new directory
// and a link to it that changes at once.
func (s *server) publish(n int) {
	dir := filepath.Join(s.ground.secrets, fmt.Sprintf("..%d", n))
	s.ground.must(os.MkdirAll(dir, 0o755))
	s.ground.must(os.WriteFile(filepath.Join(dir, "password"), []byte(password(n)), 0o644))
	link := filepath.Join(s.ground.secrets, "..data")
	_ = os.Remove(link + ".new")
	s.ground.must(os.Symlink(filepath.Base(dir), link+".new"))
	s.ground.must(os.Rename(link+".new", link))
	if n == 0 {
		s.ground.must(os.Symlink(filepath.Join("..data", "password"), s.secret()))
	}
}

func (s *server) secret() string { return filepath.Join(s.ground.secrets, "password") }

func (s *server) call(ctx context.Context, method, path string, body, out any) error {
	var r io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	return call(ctx, method, "http://"+s.addr+path, "", r, out)
}

func call(ctx context.Context, method, url, token string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	switch text, plain := out.(*string); {
	case err != nil:
		return err
	case resp.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s: status %d", method, url, resp.StatusCode)
	case plain:
		*text = string(b)
		return nil
	case out == nil:
		return nil
	default:
		return json.Unmarshal(b, out)
	}
}

// fault sets a fault. While the server is away there is nobody to have it.
func (s *server) fault(f sandbox.Fault) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.call(ctx, http.MethodPost, "/sandbox/faults", f, nil)
}

func (s *server) heal() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.call(ctx, http.MethodDelete, "/sandbox/faults", nil, nil); err != nil {
		s.t.Errorf("heal the server: %v", err)
	}
}

func (s *server) report() sandbox.Report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var r sandbox.Report
	if err := s.call(ctx, http.MethodGet, "/sandbox/arrivals", nil, &r); err != nil {
		s.t.Fatalf("ask the sandbox: %v", err)
	}
	return r
}
