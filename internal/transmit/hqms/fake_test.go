package hqms_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/hqms"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/transmittest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	account  = "13800000000"
	password = "s3cr3t/+&=密码"
	words    = "账号已锁定 SERVER-WORDS"
)

// fakeServer is the national server as far as it was observed.
type fakeServer struct {
	mu       sync.Mutex
	refusing bool
	tokens   map[string]bool
	status   map[string]string // by token: the result object
	bodies   [][]byte
	requests []*http.Request
}

func newFakeServer() *fakeServer {
	return &fakeServer{tokens: map[string]bool{}, status: map[string]string{}}
}

func stepOf(r *http.Request) transmittest.Step {
	switch {
	case strings.HasSuffix(r.URL.Path, "gettoken.shtml"):
		return transmittest.Admission
	case strings.HasSuffix(r.URL.Path, "findResult.shtml"):
		return transmittest.Question
	default:
		return transmittest.Upload
	}
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	var err error
	if stepOf(r) == transmittest.Upload {
		if body, err = io.ReadAll(r.Body); err != nil {
			return // a torn upload is nothing
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	q := r.URL.Query()
	token := q.Get("token")
	switch stepOf(r) {
	case transmittest.Admission:
		if s.refusing || q.Get("loginid") != account || q.Get("pwd") != password || q.Get("isDev") != "1" {
			no(w)
			return
		}
		token = fmt.Sprintf("45fb2ab1e81d4762a78ca82f0de6%04d", len(s.tokens))
		s.tokens[token] = true
		_, _ = fmt.Fprintf(w, `{"succ":true,"result":{"token":%q}}`, token)
	case transmittest.Upload:
		if !s.tokens[token] || r.Method != http.MethodPost || r.ContentLength != int64(len(body)) {
			no(w)
			return
		}
		s.bodies = append(s.bodies, body)
		s.status[token] = `{"id":1,"status":0}`
		_, _ = io.WriteString(w, `{"succ":true}`)
	case transmittest.Question:
		if s.status[token] == "" {
			no(w)
			return
		}
		_, _ = fmt.Fprintf(w, `{"succ":true,"errMsg":"","errorCode":"","errorStack":"","result":%s}`, s.status[token])
	}
}

func no(w io.Writer) {
	_ = json.NewEncoder(w).Encode(map[string]any{"succ": false, "errMsg": words, "errorCode": "E1", "errorStack": "at com.hqms.Secret"})
}

func (s *fakeServer) received() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies
}

func (s *fakeServer) set(token, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[token] = result
}

func (s *fakeServer) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = true
}

func (s *fakeServer) last() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[len(s.requests)-1]
}

type fixed struct{ account, password string }

func (f fixed) Credentials() (account, password, hash string) { return f.account, f.password, "h" }

func options(url string) hqms.Options {
	return hqms.Options{
		Channel: upload.HQMS, ServerURL: url, Version: "1.2.3", Credentials: fixed{account, password},
	}
}

func newClient(t *testing.T, o hqms.Options) *hqms.Client {
	t.Helper()
	c, err := hqms.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func setup(t *testing.T) *transmittest.Subject {
	t.Helper()
	s := newFakeServer()
	return &transmittest.Subject{
		Works: s, StepOf: stepOf, Received: s.received, Refuse: s.refuse,
		Secrets: []string{password, "s3cr3t", account, "SERVER-WORDS", "com.hqms"},
		Client: func(t *testing.T, url string, roots *x509.CertPool, p transmittest.Patience) transmit.Protocol {
			o := options(url)
			o.Network.RootCAs = roots
			o.Patience = hqms.Patience{Connect: 20 * time.Second, Stall: p.Stall, Answer: p.Answer}
			return newClient(t, o)
		},
		Decide: func(k upload.Ticket) {
			s.set(k.Token, `{"id":1,"status":4,"checkgrade":{"stocked":10,"total":10}}`)
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	transmittest.Run(t, setup)
}
