package hqms

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Send posts the packed copy as the raw body, under its Content-Length.
func (c *Client) Send(
	ctx context.Context, d transmit.Delivery, t upload.Ticket, body transmit.Body, p transmit.Progress,
) (transmit.Sending, error) {
	if body.Size <= 0 { // net/http would send it chunked
		return transmit.Sending{}, upload.LocalFaultOf(upload.LocalFault, "the packed copy is empty", nil)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return transmit.Sending{}, upload.LocalFaultOf(upload.LocalFault, "rewind the packed copy", err)
	}
	req, err := c.request(ctx, opUpload, http.MethodPost, c.o.Wire.UploadPath, c.uploadQuery(d, t))
	if err != nil {
		return transmit.Sending{}, err
	}
	m := &meter{r: io.LimitReader(body, body.Size), told: p}
	req.Body, req.ContentLength = m, body.Size
	req.Header.Set("Content-Type", c.o.Wire.ContentType)
	r, f, err := c.exchange(ctx, opUpload, req, m)
	sent, readErr := m.stop() // from here on nobody reads the copy
	_, _, wroteErr := f.get()
	whole := sent == body.Size && wroteErr == nil
	if err != nil {
		cause := netCause(err, f, whole, readErr)
		if cause.Reason == upload.ServerMisconfigured { // a redirect: it did not take the body
			whole = false
		}
		return broken(t, whole, cause), nil
	}
	return c.answered(t, whole, r), nil
}

// answered reads the server's answer to an upload.
func (c *Client) answered(t upload.Ticket, whole bool, r reply) transmit.Sending {
	a, readable := parse(r.body)
	switch {
	case r.status == http.StatusRequestEntityTooLarge, r.status == http.StatusUnsupportedMediaType,
		readable == nil && a.refuses() && refusable(r.status):
		t.Fate = upload.Answered
		x := a.receipt(c.o.Now())
		if x.Status == "" {
			x.Status = strconv.Itoa(r.status)
		}
		// The codes are not known: succ:false may also mean that the token is
		// not known (any more), which is no fault of the file.
		return transmit.Sending{Ticket: t, Refused: x, Doubtful: refusable(r.status)}
	case r.ok() && whole && (readable == nil || (len(r.body) == 0 && !r.cut)):
		// The known clients ignore the answer, so an empty one will do.
		t.Fate = upload.Answered
		return transmit.Sending{Ticket: t}
	case r.ok():
		// A page of somebody in between, or an answer cut short: it proves nothing.
		f := upload.PassingFault(upload.ServerUnreadable, opUpload+": the answer cannot be read", nil)
		return broken(t, whole, f)
	default:
		// 5xx: the server may have it. Any other status: it did not take it.
		f := statusFault(opUpload, r, c.o.Now())
		return broken(t, whole && r.status >= http.StatusInternalServerError, f)
	}
}

// refusable: with these statuses succ:false speaks of the upload. With others it
// is about the ticket or the moment.
func refusable(status int) bool {
	return status >= 200 && status < 300 || status == http.StatusBadRequest || status == http.StatusUnprocessableEntity
}

// broken is the end of a sending that had no good answer.
func broken(t upload.Ticket, whole bool, cause *upload.Fault) transmit.Sending {
	t.Fate = upload.Broken
	if whole {
		t.Fate = upload.Maybe
	}
	return transmit.Sending{Ticket: t, Cause: cause}
}

// netCause says why there was no answer.
func netCause(err error, f *footing, whole bool, readErr error) *upload.Fault {
	if f, ok := errors.AsType[*upload.Fault](readErr); ok {
		return f
	}
	if readErr != nil {
		return upload.LocalFaultOf(upload.LocalFault, "read the packed copy", readErr)
	}
	connected, _, _ := f.get()
	cause := upload.AsFault(err)
	switch {
	case cause.Reason == upload.InternalFault: // the caller's context ended
		return upload.PassingFault(upload.UploadBroken, opUpload+": stopped", err)
	case cause.Reason != upload.ServerUnreachable || !connected:
		return cause
	case whole:
		return upload.PassingFault(upload.AnswerLost, cause.Detail, cause.Err)
	default:
		return upload.PassingFault(upload.UploadBroken, cause.Detail, cause.Err)
	}
}

func (c *Client) uploadQuery(d transmit.Delivery, t upload.Ticket) query {
	q := query{{"token", t.Token}, {"datatype", "json"}}
	if c.o.Channel == upload.HQMS { // the influenza system has no such choice
		q = q.coding("rc020", d.Coding.Diagnosis).coding("rc021", d.Coding.Morphology)
		if c.o.Wire.ProcedureParam != "-" {
			q = q.coding(c.o.Wire.ProcedureParam, d.Coding.Procedure)
		}
	}
	return append(q, c.o.Wire.Extra...)
}

// coding adds an edition as the interface numbers them; absent means Beijing.
func (q query) coding(name string, e transmit.Edition) query {
	switch e {
	case transmit.National:
		return append(q, Param{name, "1"})
	case transmit.Beijing:
		return append(q, Param{name, "2"})
	default:
		return q
	}
}

// meter is the body of an upload: it counts what the connection takes, and can
// be shut, since the transport may go on reading after it has returned.
type meter struct {
	r     io.Reader
	told  transmit.Progress
	taken func() // set before the request begins

	mu   sync.Mutex
	n    int64
	err  error // of reading the copy
	shut bool
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shut {
		return 0, io.ErrClosedPipe
	}
	n, err := m.r.Read(p)
	m.n += int64(n)
	if err != nil && err != io.EOF {
		m.err = err
	}
	if m.taken != nil {
		m.taken()
	}
	if m.told != nil {
		m.told(m.n)
	}
	return n, err
}

// Close implements io.Closer. The copy itself belongs to the caller.
func (m *meter) Close() error { return nil }

// stop shuts the meter; no Read touches the copy afterwards.
func (m *meter) stop() (sent int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shut = true
	return m.n, m.err
}
