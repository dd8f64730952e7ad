package e2e

import (
	"regexp"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	account  = "13800000000"
	password = "pw-of-the-hospital"
)

// server is a running hqms-sandbox.
type server struct {
	t    *testing.T
	proc *process.Process
	addr string
	data string
	args []string
}

var servingAt = regexp.MustCompile(`sandbox: http://([0-9.]+:[0-9]+)/`)

// newServer starts a sandbox that keeps its state, so that it can be killed
// and started again at the same address.
func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, addr: "127.0.0.1:0", data: t.TempDir(), args: args}
	s.start()
	return s
}

func (s *server) start() {
	s.t.Helper()
	args := append([]string{"serve", "-listen", s.addr, "-data", s.data, "-step", "1ms", "-account", account, "-password", password}, s.args...)
	s.proc = process.Start(s.t, binDir+"/hqms-sandbox", args, nil)
	eventually(s.t, "the sandbox listens", func() bool {
		m := servingAt.FindStringSubmatch(s.proc.Out.String())
		if m != nil {
			s.addr = m[1]
		}
		return m != nil || s.proc.Ended()
	})
	if s.proc.Ended() {
		s.t.Fatalf("the sandbox ended: %s", s.proc.Out)
	}
}

func (s *server) url(ch upload.Channel) string { return "http://" + s.addr + "/" + string(ch) + "/" }

func (s *server) call(method, path string, body, out any) int {
	s.t.Helper()
	return do(s.t, method, "http://"+s.addr+"/sandbox/"+path, "", body, out)
}

// fault sets a fault; its number serves to ask how often it struck.
func (s *server) fault(f sandbox.Fault) int64 {
	s.t.Helper()
	if code := s.call("POST", "faults", f, &f); code != 201 {
		s.t.Fatalf("set fault %+v: status %d", f, code)
	}
	return f.ID
}

func (s *server) struck(id int64) int {
	s.t.Helper()
	var all struct{ Items []sandbox.Fault }
	s.call("GET", "faults", nil, &all)
	for _, f := range all.Items {
		if f.ID == id {
			return f.Struck
		}
	}
	return 0
}

func (s *server) heal() { s.call("DELETE", "faults", nil, nil) }

func (s *server) report() sandbox.Report {
	s.t.Helper()
	var r sandbox.Report
	if code := s.call("GET", "arrivals", nil, &r); code != 200 {
		s.t.Fatalf("arrivals: status %d", code)
	}
	return r
}

// content tells how often a content was received and stored.
func (s *server) content(digest string) (received, accepted int) {
	s.t.Helper()
	for _, c := range s.report().Contents {
		if c.Digest == digest {
			received += c.Received
			accepted += c.Accepted
		}
	}
	return received, accepted
}

func (s *server) wrongLogins() int {
	n := 0
	for _, k := range s.report().Counts.WrongLogins {
		n += k
	}
	return n
}

// mustHave fails unless the content was received and stored so often.
func (s *server) mustHave(digest string, received, accepted int) {
	s.t.Helper()
	if r, a := s.content(digest); r != received || a != accepted {
		s.t.Errorf("the server received the content %d times and stored it %d times, want %d and %d", r, a, received, accepted)
	}
}

func sandboxDuration(d time.Duration) sandbox.Duration { return sandbox.Duration(d) }
