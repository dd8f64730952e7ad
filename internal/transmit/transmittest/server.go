package transmittest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Step is one of the requests of a delivery.
type Step string

// The steps.
const (
	Admission Step = "admission" // may I send?
	Upload    Step = "upload"    // here it is
	Question  Step = "question"  // what became of it?
)

// Steps lists the steps.
func Steps() []Step { return []Step{Admission, Upload, Question} }

// Fault is a way to fail. It gets the request and the working handler.
type Fault func(s *Server, w http.ResponseWriter, r *http.Request, works http.Handler)

// Server is a working server that fails on request.
type Server struct {
	URL string
	// Roots trust the server's certificate, if it has one.
	Roots *x509.CertPool

	web    *httptest.Server
	works  http.Handler
	stepOf func(*http.Request) Step
	done   chan struct{}

	mu     sync.Mutex
	faults map[Step]Fault
	counts map[Step]int
}

// Serve starts a server; the test's end stops it.
func Serve(t *testing.T, works http.Handler, stepOf func(*http.Request) Step, withTLS bool) *Server {
	t.Helper()
	s := &Server{
		works: works, stepOf: stepOf, done: make(chan struct{}),
		faults: map[Step]Fault{}, counts: map[Step]int{},
	}
	s.web = httptest.NewUnstartedServer(s)
	s.web.Config.ErrorLog = log.New(io.Discard, "", 0) // its faults are meant
	s.web.Config.ConnState = shortQueue
	if withTLS {
		s.web.StartTLS()
		s.Roots = x509.NewCertPool()
		s.Roots.AddCert(s.web.Certificate())
	} else {
		s.web.Start()
	}
	s.URL = s.web.URL
	t.Cleanup(func() {
		close(s.done)
		s.web.CloseClientConnections()
		s.web.Close()
	})
	return s
}

// shortQueue keeps the kernel from taking a body that the server does not read.
func shortQueue(c net.Conn, state http.ConnState) {
	if state != http.StateNew {
		return
	}
	if over, ok := c.(*tls.Conn); ok {
		c = over.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(64 << 10)
	}
}

// Break makes the step fail from now on; nil mends it.
func (s *Server) Break(step Step, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[step] = f
}

// Count is how many requests the step has had.
func (s *Server) Count(step Step) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[step]
}

// Away takes the server off the network: connections are refused.
func (s *Server) Away() {
	s.web.CloseClientConnections()
	_ = s.web.Listener.Close()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	step := s.stepOf(r)
	s.mu.Lock()
	f := s.faults[step]
	s.counts[step]++
	s.mu.Unlock()
	if f == nil {
		s.works.ServeHTTP(w, r)
		return
	}
	f(s, w, r, s.works)
}

// Words are in every page that a fault writes; they must not be in any error.
const Words = "WORDS-OF-A-STRANGER-4711"

// Status answers with a status code and a page, the body unread.
func Status(code int, header ...string) Fault {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, "<html><body>%s</body></html>", Words)
	}
}

// Answer answers 200 with this body.
func Answer(body string) Fault {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, body)
	}
}

// Huge answers with what might be JSON, and never comes to its end.
func Huge() Fault {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, err := io.WriteString(w, `{"succ":true,"x":"`)
		for piece := strings.Repeat(Words, 1000); err == nil; {
			_, err = io.WriteString(w, piece)
		}
	}
}

// Slow takes the body a piece at a time with a pause before each, and then lets
// the working server do its work.
func Slow(piece int64, each time.Duration) Fault {
	return func(s *Server, w http.ResponseWriter, r *http.Request, works http.Handler) {
		var whole bytes.Buffer
		tick := time.NewTicker(each)
		defer tick.Stop()
		for {
			select {
			case <-s.done:
				return
			case <-tick.C:
			}
			if _, err := io.CopyN(&whole, r.Body, piece); err != nil {
				break
			}
		}
		r.Body = io.NopCloser(&whole)
		works.ServeHTTP(w, r)
	}
}

// Silence takes the request whole and never answers.
func Silence() Fault {
	return func(s *Server, _ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-s.done
	}
}

// Deaf takes n bytes of the request's body and then nothing more, for ever.
func Deaf(n int64) Fault {
	return func(s *Server, _ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.CopyN(io.Discard, r.Body, n)
		<-s.done
	}
}

// Reset takes n bytes of the body and resets the connection.
func Reset(n int64) Fault {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.CopyN(io.Discard, r.Body, n)
		hangUp(w, true)
	}
}

// LostAnswer lets the working server do all its work, and loses what it says.
func LostAnswer() Fault {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, works http.Handler) {
		works.ServeHTTP(httptest.NewRecorder(), r)
		hangUp(w, false)
	}
}

// CutAnswer sends half of the working server's answer and hangs up.
func CutAnswer() Fault {
	return func(_ *Server, w http.ResponseWriter, r *http.Request, works http.Handler) {
		rec := httptest.NewRecorder()
		works.ServeHTTP(rec, r)
		b := rec.Body.Bytes()
		w.Header().Set("Content-Length", fmt.Sprint(len(b)+1))
		_, _ = w.Write(b[:len(b)/2])
		_ = http.NewResponseController(w).Flush()
		hangUp(w, false)
	}
}

// SlowLoris answers one byte at a time, for ever.
func SlowLoris(each time.Duration) Fault {
	return func(s *Server, w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		tick := time.NewTicker(each)
		defer tick.Stop()
		for {
			select {
			case <-s.done:
				return
			case <-tick.C:
				if _, err := w.Write([]byte(" ")); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
}

// Redirect points elsewhere.
func Redirect(code int, to string) Fault { return Status(code, "Location", to) }

func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
