package docker

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// projects counts them.
var projects atomic.Int64

// project is a folder with the bundle's compose files and settings of its own.
type project struct {
	t    *testing.T
	dir  string
	name string
	env  map[string]string
	api  string
}

// newProject prepares one; down takes it away with the test. Its settings are the
// demonstration's until hospital() is called.
func newProject(t *testing.T) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir(), name: fmt.Sprintf("hqms%d-%d", os.Getpid(), projects.Add(1)), env: map[string]string{}}
	for _, part := range []string{"docker-compose.yml", ".env.example", "deploy"} {
		if out, err := exec.CommandContext(t.Context(), "cp", "-r", filepath.Join(w.home, part), p.dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, port := range []string{"API_PORT", "API_PORT_2", "SANDBOX_PORT"} {
		p.env[port] = "127.0.0.1:" + freePort(t)
	}
	p.api = "http://" + p.env["API_PORT"]
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := p.run("logs", "--no-color", "--tail", "8")
			t.Logf("logs:\n%s", out)
		}
		_, _ = p.run("--profile", "demo", "--profile", "ha", "down", "-v", "-t", "5")
	})
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// settings writes .env; without, the demonstration's count.
func (p *project) settings(set map[string]string) {
	p.t.Helper()
	text := "SIDECAR_SETTINGS=.env\n"
	for _, name := range slices.Sorted(maps.Keys(set)) {
		text += name + "=" + set[name] + "\n"
	}
	if err := os.WriteFile(filepath.Join(p.dir, ".env"), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// flu are the settings of one channel, against the sandbox of the same project.
func flu(more ...string) map[string]string {
	set := map[string]string{
		"TZ": "Asia/Shanghai", "FLU_WATCH_DIR": "/export/flu", "FLU_SERVER_URL": "http://sandbox:9090/flu/", "FLU_ACCOUNT": "demo",
		"FLU_PASSWORD_FILE": "/run/secrets/flu_password", "RESCAN_INTERVAL": "1s", "POLL_MIN": "200ms", "POLL_MAX": "1s", "RETRY_MIN": "100ms", "RETRY_MAX": "1s", "UNKNOWN_GRACE": "2s",
	}
	for _, m := range more {
		name, value, _ := strings.Cut(m, "=")
		set[name] = value
	}
	return set
}

func (p *project) run(args ...string) (string, error) {
	cmd := w.engine.command(w.compose[0], append(append(slices.Clone(w.compose[1:]), "-p", p.name), args...)...)
	cmd.Dir = p.dir
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// once runs a service that ends by itself, with another command if one is given,
// and gives what it said and its exit code.
func (p *project) once(service string, command ...string) (said string, code int) {
	p.t.Helper()
	overlay := "services:\n  " + service + ":\n    restart: \"no\"\n"
	if len(command) > 0 {
		words, _ := json.Marshal(command) // a list is YAML too
		overlay += "    command: " + string(words) + "\n"
	}
	if err := os.WriteFile(filepath.Join(p.dir, "once.yml"), []byte(overlay), 0o600); err != nil {
		p.t.Fatal(err)
	}
	usual := p.env["COMPOSE_FILE"]
	p.env["COMPOSE_FILE"] = cmp.Or(usual, "docker-compose.yml") + ":once.yml"
	p.must("--profile", "ha", "up", "-d", "--no-deps", service)
	if usual == "" {
		delete(p.env, "COMPOSE_FILE")
	} else {
		p.env["COMPOSE_FILE"] = usual
	}
	code, err := strconv.Atoi(docker(p.t, nil, "wait", p.container(service)))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.logs(service), code
}

func (p *project) must(args ...string) string {
	p.t.Helper()
	out, err := p.run(args...)
	if err != nil {
		p.t.Fatalf("compose %v: %v\n%s", args, err, out)
	}
	return out
}

// docker calls the engine's client.
func docker(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	cmd := w.engine.command(w.docker, args...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %v: %v\n%s", args, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// container is the id of a service's container, also of one that has ended.
func (p *project) container(service string) string {
	p.t.Helper()
	id := docker(p.t, nil, "ps", "-aq", "--filter", "label=com.docker.compose.project="+p.name, "--filter", "label=com.docker.compose.service="+service)
	if id == "" || strings.Contains(id, "\n") {
		p.t.Fatalf("containers of %s: %q", service, id)
	}
	return id
}

// inspected is what the tests read of a container.
type inspected struct {
	State struct {
		Running    bool
		ExitCode   int
		OOMKilled  bool
		StartedAt  time.Time
		FinishedAt time.Time
		Health     struct{ Status string }
	}
	RestartCount int
	Config       struct{ User, Image string }
	HostConfig   struct {
		ReadonlyRootfs bool
		Privileged     bool
		CapDrop        []string
		CapAdd         []string
		SecurityOpt    []string
		Memory         int64
		PidsLimit      int64
		RestartPolicy  struct{ Name string }
		LogConfig      struct{ Config map[string]string }
	}
}

func (p *project) inspect(service string) inspected {
	p.t.Helper()
	var all []inspected
	if err := json.Unmarshal([]byte(docker(p.t, nil, "inspect", p.container(service))), &all); err != nil {
		p.t.Fatal(err)
	}
	return all[0]
}

// logs are the container's words, also of runs before this one.
func (p *project) logs(service string) string {
	cmd := w.engine.command(w.docker, "logs", p.container(service))
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// get asks the API; the status is 0 when nobody answers.
func get(t *testing.T, url string, out any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.engine.http().Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if out != nil {
		_ = json.NewDecoder(resp.Body).Decode(out)
	}
	return resp.StatusCode
}

type upload struct {
	Filename, State, Verdict string
	Progress                 *struct {
		Sent int64 `json:"sent_bytes"`
	}
}

func (p *project) uploads() []upload {
	var page struct{ Items []upload }
	get(p.t, p.api+"/uploads?limit=100", &page)
	return page.Items
}

// until waits for what must come.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (p *project) untilVerdict(want string) {
	p.t.Helper()
	until(p.t, "an upload is "+want, func() bool {
		return slices.ContainsFunc(p.uploads(), func(u upload) bool { return u.Verdict == want })
	})
}
