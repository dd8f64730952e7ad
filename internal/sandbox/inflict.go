package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// errBody marks a fault of reading a request's body.
var errBody = errors.New("the body broke off")

// stallGuard ends a body that makes no progress, by moving the connection's
// read deadline along with every read.
type stallGuard struct {
	io.ReadCloser
	conn  *http.ResponseController
	stall time.Duration
}

func (g *stallGuard) Read(p []byte) (int, error) {
	_ = g.conn.SetReadDeadline(time.Now().Add(g.stall)) // not every ResponseWriter can; then the server's own limits hold
	n, err := g.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		_ = g.conn.SetReadDeadline(time.Time{}) // the body is whole; the answer may take its time
	case err != nil:
		err = fmt.Errorf("%w: %w", errBody, err)
	}
	return n, err
}

// serveProtocol answers one request of the protocol, with a fault if one strikes.
func (s *Server) serveProtocol(w http.ResponseWriter, c *call) {
	filename := ""
	if s.faults.inForce() {
		filename = s.filenameOf(c)
	}
	f, struck := s.faults.take(c.step, s.channelFor(c.base, filename), filename)
	if !struck {
		s.send(w, s.answer(c))
		return
	}
	s.ledger.wake()
	s.opts.Logger.Info("fault strikes", "step", c.step, "kind", f.Kind)
	s.inflict(w, c, f)
}

// filenameOf is the file a call is about: by its body, or by its token.
func (s *Server) filenameOf(c *call) string {
	if c.step == StepUpload {
		return c.filename()
	}
	return s.ledger.filename(c.token)
}

// inflict answers a call with the fault f.
func (s *Server) inflict(w http.ResponseWriter, c *call, f Fault) {
	switch f.Kind {
	case FaultCut:
		_, _ = io.CopyN(io.Discard, c.body(), f.Bytes)
		if c.step == StepUpload {
			s.ledger.abandon("", true)
		}
		panic(http.ErrAbortHandler)
	case FaultReset:
		panic(http.ErrAbortHandler)
	case FaultHang:
		s.hang(c.Context(), orDefault(time.Duration(f.Delay), 24*time.Hour))
		panic(http.ErrAbortHandler)
	case FaultSlow:
		s.slow(w, c, f)
	case FaultLost:
		s.answer(c)
		panic(http.ErrAbortHandler)
	case FaultCutAnswer:
		s.answer(c).cut(w, f.Bytes)
	default:
		s.send(w, s.lie(c, f))
	}
}

// lie makes the false answer of f. The work is done first if Processed says
// so; else the body is read and thrown away, unless the answer comes early.
func (s *Server) lie(c *call, f Fault) answer {
	if f.Processed {
		if s.answer(c).code == 0 {
			return answer{}
		}
	} else if !f.Early {
		_, _ = io.Copy(io.Discard, c.body())
	}
	return f.falseAnswer()
}

// maintenance is a page as gateways show it while a server is worked on.
const maintenance = "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>系统维护中</title></head>" +
	"<body><h1>系统维护中，请稍后再试</h1><p>The system is under maintenance.</p></body></html>\n"

// falseAnswer is what a client gets to see of f.
func (f Fault) falseAnswer() answer {
	asHTML := map[string]string{"Content-Type": "text/html;charset=UTF-8"}
	switch f.Kind {
	case FaultStatus:
		a := answer{code: f.Code, body: []byte(http.StatusText(f.Code) + "\n"), header: map[string]string{"Content-Type": "text/plain"}}
		if f.RetryAfter > 0 {
			a.header["Retry-After"] = strconv.FormatInt(int64((time.Duration(f.RetryAfter)+time.Second-1)/time.Second), 10)
		}
		return a
	case FaultHTML:
		return answer{code: orDefault(f.Code, http.StatusOK), body: []byte(maintenance), header: asHTML}
	case FaultTruncated:
		a := success(tokenBody{"truncated"})
		a.body = a.body[:len(a.body)/2]
		return a
	case FaultHuge:
		a := success("")
		a.body = bytes.Repeat([]byte{'x'}, int(orDefault(f.Bytes, 64*mebi)))
		copy(a.body, `{"succ":true,"errMsg":"`)
		copy(a.body[max(0, len(a.body)-2):], `"}`)
		return a
	case FaultText:
		return answer{code: orDefault(f.Code, http.StatusOK), body: []byte("ok"), header: map[string]string{"Content-Type": "text/plain"}}
	case FaultForget:
		return success(idBody{})
	case FaultTokenUnknown:
		return refuse(tokenUnknown)
	case FaultTokenExpired:
		return refuse(tokenExpired)
	case FaultRedirect:
		return answer{code: orDefault(f.Code, http.StatusFound), header: map[string]string{"Location": f.Location}}
	default: // FaultRefuse
		return refuse(&refusal{"REFUSED", cmpOr(f.Message, "沙箱按要求拒绝 (refused on request)")})
	}
}

// hang waits until d has passed, the client has gone, or the server closes.
func (s *Server) hang(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.closing:
	case <-t.C:
	}
}

func (s *Server) slow(w http.ResponseWriter, c *call, f Fault) {
	if f.Rate > 0 && c.head != nil {
		c.head = bufio.NewReaderSize(&slowReader{r: c.head, rate: f.Rate, wait: func(d time.Duration) bool { return pauseFor(c.Context(), d) }}, c.head.Size())
	}
	a := s.answer(c)
	s.hang(c.Context(), time.Duration(f.Delay))
	s.send(w, a)
}

// slowReader gives rate bytes a second, in ten portions.
type slowReader struct {
	r    io.Reader
	rate int64
	wait func(time.Duration) bool
}

func (s *slowReader) Read(p []byte) (int, error) {
	portion := max(1, s.rate/10)
	if !s.wait(time.Duration(float64(time.Second) * float64(portion) / float64(s.rate))) {
		return 0, errBody
	}
	return s.r.Read(p[:min(int64(len(p)), portion)])
}

// cut sends n bytes of the answer and closes the connection.
func (a answer) cut(w http.ResponseWriter, n int64) {
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(orDefault(a.code, http.StatusOK))
	_, _ = w.Write(a.body[:min(int64(len(a.body)), n)])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// body is what is left of the request's body; none for a GET.
func (c *call) body() io.Reader {
	if c.head != nil {
		return c.head
	}
	return c.Body
}
