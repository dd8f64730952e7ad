package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come; only a failing one uses it up.
const patience = 90 * time.Second

// world is what all tests share.
type world struct {
	engine  *engine
	docker  string
	compose []string
	home    string // the unpacked bundle
	version string
}

var w world //nolint:gochecknoglobals // made by TestMain

func TestMain(m *testing.M) {
	mode := os.Getenv("HQMS_DOCKER")
	if mode == "" {
		fmt.Fprintln(os.Stdout, "skipped: make e2e-docker runs this")
		os.Exit(0)
	}
	code, err := run(m)
	var none noEngine
	switch {
	case errors.As(err, &none) && mode == "where-possible":
		fmt.Fprintf(os.Stdout, "\n%s\nNO DOCKER ENGINE TO BE HAD HERE: %v\nThe compose file and the images have NOT been run.\n%[1]s\n\n", strings.Repeat("!", 78), none)
		code = 0
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	tmp, err := os.MkdirTemp("", "hqms-docker")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(tmp)
	if err := unpack(tmp); err != nil {
		return 1, err
	}
	if w.docker, err = client(); err != nil {
		return 1, err
	}
	if w.engine, err = findEngine(tmp); err != nil {
		return 1, err
	}
	defer w.engine.stop()
	if w.compose, err = composeProgram(); err != nil {
		return 1, err
	}
	images, _ := filepath.Glob(filepath.Join(w.home, "images", "*-linux-"+runtime.GOARCH+".tar"))
	for _, file := range images {
		if out, err := w.engine.command(w.docker, "load", "-i", file).CombinedOutput(); err != nil {
			return 1, fmt.Errorf("load %s: %w\n%s", file, err, out)
		}
	}
	if len(images) != 2 {
		return 1, fmt.Errorf("the bundle holds %d images for %s", len(images), runtime.GOARCH)
	}
	return m.Run(), nil
}

// unpack opens the bundle and checks its sums, as its guide says.
func unpack(tmp string) error {
	bundle := os.Getenv("HQMS_DOCKER_BUNDLE")
	if out, err := exec.Command("tar", "-xf", bundle, "-C", tmp).CombinedOutput(); err != nil {
		return fmt.Errorf("unpack HQMS_DOCKER_BUNDLE %q: %w\n%s", bundle, err, out)
	}
	found, _ := filepath.Glob(filepath.Join(tmp, "hqms-sidecar-*"))
	if len(found) != 1 {
		return fmt.Errorf("the bundle unpacks into %v", found)
	}
	w.home, w.version = found[0], strings.TrimPrefix(filepath.Base(found[0]), "hqms-sidecar-")
	check := exec.Command("sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS")
	check.Dir = w.home
	if out, err := check.CombinedOutput(); err != nil {
		return fmt.Errorf("sums of the bundle: %w\n%s", err, out)
	}
	return nil
}

type noEngine struct{ why string }

func (n noEngine) Error() string { return n.why }

// client finds Docker's own command line: the distribution's before others.
func client() (string, error) {
	for _, name := range []string{"/usr/bin/docker", "docker"} {
		if out, err := exec.Command(name, "--version").Output(); err == nil && bytes.HasPrefix(out, []byte("Docker version")) {
			return name, nil
		}
	}
	return "", noEngine{"docker is not installed"}
}

// composeProgram is HQMS_COMPOSE, the plugin, or the old program.
func composeProgram() ([]string, error) {
	for _, c := range [][]string{strings.Fields(os.Getenv("HQMS_COMPOSE")), {w.docker, "compose"}, {"docker-compose"}} {
		if len(c) == 0 {
			continue
		}
		if out, err := w.engine.command(c[0], append(c[1:], "version")...).CombinedOutput(); err == nil {
			fmt.Fprintf(os.Stdout, "compose: %s\n", strings.SplitN(string(out), "\n", 2)[0])
			return c, nil
		}
	}
	return nil, noEngine{"neither docker compose nor docker-compose is installed"}
}

// engine is one that answers; of an own one, process is dockerd.
type engine struct {
	host    string // DOCKER_HOST; empty: the usual one
	process *exec.Cmd
	data    string
}

func findEngine(tmp string) (*engine, error) {
	usual := &engine{host: os.Getenv("DOCKER_HOST")}
	if err := usual.command(w.docker, "version").Run(); err == nil {
		return usual, nil
	}
	if os.Geteuid() != 0 {
		return nil, noEngine{"none answers, and starting one needs root"}
	}
	for _, name := range []string{"dockerd", "unshare", "ip", "iptables"} {
		if _, err := lookPath(name); err != nil {
			return nil, noEngine{"none answers, and to start one " + name + " is missing"}
		}
	}
	return startEngine(tmp)
}

// lookPath knows where root's programs are, whatever the path says.
func lookPath(name string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p, nil
		}
	}
	return exec.LookPath(name)
}

// startEngine starts dockerd apart from everything: its network, its data, its socket.
func startEngine(tmp string) (*engine, error) {
	dockerd, err := lookPath("dockerd")
	if err != nil {
		return nil, err
	}
	e := &engine{host: "unix://" + filepath.Join(tmp, "engine.sock"), data: filepath.Join(tmp, "engine")}
	log, err := os.Create(filepath.Join(tmp, "engine.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	e.process = exec.Command("unshare", "--net", "sh", "-c", `ip link set lo up && exec "$@"`, "sh", dockerd,
		"--data-root", e.data, "--exec-root", filepath.Join(tmp, "exec"), "--pidfile", filepath.Join(tmp, "engine.pid"), "-H", e.host)
	e.process.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin:"+os.Getenv("PATH"))
	e.process.Stdout, e.process.Stderr = log, log
	e.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := e.process.Start(); err != nil {
		return nil, noEngine{err.Error()}
	}
	ended := make(chan error, 1)
	go func() { ended <- e.process.Wait() }()
	deadline := time.After(patience)
	for {
		if e.command(w.docker, "version").Run() == nil {
			return e, nil
		}
		select {
		case err := <-ended:
			text, _ := os.ReadFile(log.Name())
			return nil, noEngine{fmt.Sprintf("dockerd ended: %v\n%s", err, last(text, 1500))}
		case <-deadline:
			e.stop()
			return nil, noEngine{"dockerd does not answer"}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func last(text []byte, n int) []byte { return text[max(0, len(text)-n):] }

// stop ends an own engine and what it mounted.
func (e *engine) stop() {
	if e.process == nil {
		return
	}
	_ = e.process.Process.Signal(syscall.SIGTERM)
	for range 200 { // dockerd waits for its containers
		if e.process.Process.Signal(syscall.Signal(0)) != nil {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], filepath.Dir(e.data)+"/") {
			_ = unix.Unmount(f[1], unix.MNT_DETACH)
		}
	}
}

// command is a call of a program that talks to the engine.
func (e *engine) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "COMPOSE_INTERACTIVE_NO_CLI=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin:"+os.Getenv("PATH"))
	if e.host != "" {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+e.host)
	}
	return cmd
}

// dial connects from within the engine's network.
func (e *engine) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	if e.process == nil {
		return d.DialContext(ctx, network, addr)
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", e.process.Process.Pid))
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- result{err: err}
			return
		}
		conn, err := d.DialContext(ctx, network, addr)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func (e *engine) http() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: e.dial, DisableKeepAlives: true}, Timeout: 20 * time.Second}
}

// packed is a tar of one file or directory, for docker cp.
func packed(h *tar.Header, content []byte) []byte {
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	h.Size = int64(len(content))
	_ = t.WriteHeader(h) // into memory
	_, _ = t.Write(content)
	_ = t.Close()
	return out.Bytes()
}
