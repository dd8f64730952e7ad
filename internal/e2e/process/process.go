package process

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
)

// Patience is how long a test waits for what must come. It is generous since
// machines are shared, and only a failing test uses it up.
const Patience = 3 * time.Minute

const (
	// binEnv names the directory of the programs, if they have been built.
	binEnv = "HQMS_E2E_BIN"
	module = "github.com/hqms-sidecar/hqms-sidecar/"
	// shown is how many of its last lines a child is quoted with.
	shown = 80
	// often is how often Eventually asks.
	often = 20 * time.Millisecond
)

// Binaries gives the directory of the built programs: that of HQMS_E2E_BIN, or one
// of its own, in which it builds the module's packages that are named, each by the
// directory below it into which it goes. release removes what was made.
func Binaries(packages map[string]string) (dir string, release func(), err error) {
	if dir = os.Getenv(binEnv); dir != "" {
		return dir, func() {}, nil
	}
	if dir, err = os.MkdirTemp("", "hqms-e2e-bin"); err != nil {
		return "", nil, err
	}
	release = func() { _ = os.RemoveAll(dir) } //nolint:gosec // the directory made above
	for to, pattern := range packages {
		build := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(dir, to)+"/", module+pattern) //nolint:gosec // what a test names
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			release()
			return "", nil, fmt.Errorf("build %s: %w\n%s", pattern, err, out)
		}
	}
	return dir, release, nil
}

// Output is what a process has written so far. It is safe for concurrent use.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String implements fmt.Stringer.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// tail is the last lines of it.
func (o *Output) tail() string {
	lines := strings.Split(strings.TrimRight(o.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-shown):], "\n")
}

// crash is how a Go program says that it broke, with the first of what it says of that.
func (o *Output) crash() string {
	text := "\n" + o.String()
	for _, sign := range []string{"\nfatal error: ", "\npanic: ", "\nSIG", "\nruntime: ", "\nunexpected fault address "} {
		if i := strings.Index(text, sign); i >= 0 {
			lines := strings.SplitN(text[i+1:], "\n", shown+1)
			return strings.Join(lines[:min(len(lines), shown)], "\n")
		}
	}
	return ""
}

// Process is a child. Its test's end kills it, fails where it had a data race, and
// quotes it where the test has failed.
type Process struct {
	Out  *Output
	Done <-chan struct{} // closed once it has ended

	t    *testing.T
	name string
	cmd  *exec.Cmd
	err  error // how it ended; for whoever has seen Done
}

// Start starts a program with an environment of its own: PATH, a HOME that is
// empty, the time zone Asia/Shanghai, and env.
func Start(t *testing.T, path string, args, env []string) *Process {
	t.Helper()
	done := make(chan struct{})
	p := &Process{Out: &Output{}, Done: done, t: t, name: filepath.Base(path)}
	p.cmd = exec.CommandContext(context.Background(), path, args...) //nolint:gosec // what a test names
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TZ=Asia/Shanghai"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Out, p.Out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(done)
	}()
	t.Cleanup(p.judge)
	return p
}

func (p *Process) judge() {
	p.Kill()
	if strings.Contains(p.Out.String(), "WARNING: DATA RACE") {
		p.t.Errorf("%s has a data race", p.name)
	}
	if crash := p.Out.crash(); crash != "" {
		p.t.Errorf("%s, process %d, crashed:\n%s", p.name, p.PID(), crash)
	}
	if p.t.Failed() {
		p.t.Logf("output of %s, process %d:\n%s", p.name, p.PID(), p.Out.tail())
	}
}

// PID is its number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to it. It fails if the process has ended.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Ended reports whether it has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.Done:
		return true
	default:
		return false
	}
}

// Kill is kill -9, and waits for the end.
func (p *Process) Kill() {
	_ = p.Signal(syscall.SIGKILL)
	<-p.Done
}

// Terminate is SIGTERM, and waits for the end. It fails unless that is a good one.
func (p *Process) Terminate() error {
	p.t.Helper()
	_ = p.Signal(syscall.SIGTERM)
	p.Exit()
	return p.err
}

// Exit waits for it to end by itself, and gives the exit code; -1: a signal has
// ended it.
func (p *Process) Exit() int {
	p.t.Helper()
	select {
	case <-p.Done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(Patience):
		p.t.Fatalf("%s does not end", p.name)
		return 0
	}
}

// Eventually asks again and again until it holds, and ends the test where it does
// not within that time.
func Eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	tick := time.NewTicker(often)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s in vain: %s", within, what)
		case <-tick.C:
		}
	}
}
