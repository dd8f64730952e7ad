package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// running is a server on a real port; stop waits until Run has returned.
type running struct {
	base   string
	addr   string
	client *http.Client
	stop   func() error
}

func run(t *testing.T, s *Server) running {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, ln) }()
	transport := &http.Transport{}
	r := running{base: "http://" + ln.Addr().String(), addr: ln.Addr().String(), client: &http.Client{Transport: transport}}
	r.stop = func() error { cancel(); err := <-ended; ended <- err; return err }
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		transport.CloseIdleConnections()
	})
	return r
}

// listen opens an event stream and gives its blocks, without the comments.
func (r running) listen(t *testing.T, path, lastID string) (next func() string, body io.Closer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // what does not come is not waited for
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+viToken)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("%d %s", res.StatusCode, got)
	}
	blocks := bufio.NewScanner(res.Body)
	blocks.Buffer(nil, 1<<20)
	blocks.Split(func(data []byte, _ bool) (int, []byte, error) {
		if i := strings.Index(string(data), "\n\n"); i >= 0 {
			return i + 2, data[:i], nil
		}
		return 0, nil, nil
	})
	next = func() string {
		for blocks.Scan() {
			if b := blocks.Text(); !strings.HasPrefix(b, ":") {
				return b
			}
		}
		return "end"
	}
	if first := next(); first != "retry: 2000" {
		t.Fatalf("the stream begins with %q", first)
	}
	return next, res.Body
}

func id(block string) string {
	line, _, _ := strings.Cut(block, "\n")
	return line
}

func TestEventsComeAsTheyHappen(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r := run(t, w.server(t, func(o *Options) { o.EventPoll = time.Hour }))
	next, _ := r.listen(t, "/events", "")
	w.happen(1, upload.Event{UploadID: "u3", Channel: "flu", At: start, Name: "packed", From: upload.StateValidated, To: upload.StatePacked})
	block := next()
	lines := strings.SplitN(block, "\n", 3)
	var e map[string]any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[2], "data: ")), &e); err != nil {
		t.Fatalf("%v in %q", err, block)
	}
	if lines[0] != "id: 3" || lines[1] != "event: upload" || e["name"] != "packed" || e["seq"] != 3.0 || e["upload_id"] != "u3" {
		t.Errorf("got %q", block)
	}
	for want := 4; want < 8; want++ { // nothing but being told can wake it now
		w.happen(1, upload.Event{UploadID: "u3", Channel: "flu", Name: "retry", To: upload.StatePacked})
		if got := next(); id(got) != fmt.Sprintf("id: %d", want) {
			t.Fatalf("want %d, got %q", want, got)
		}
	}
}

func TestEventsThatNobodyToldOfAreFound(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r := run(t, w.server(t, func(o *Options) { o.EventPoll = 5 * time.Millisecond }))
	next, _ := r.listen(t, "/events", "")
	w.mu.Lock() // as if another replica had recorded it
	w.events = append(w.events, upload.Event{Seq: 3, UploadID: "u3", Channel: "flu", Name: "packed", To: upload.StatePacked})
	w.mu.Unlock()
	if got := next(); id(got) != "id: 3" {
		t.Errorf("got %q", got)
	}
}

func TestAStreamGoesOnWhereItBrokeOff(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.happen(2*eventPage, upload.Event{UploadID: "u3", Channel: "flu", Name: "retry", To: upload.StateSent})
	r := run(t, w.server(t, nil))
	newest := len(w.events)
	for name, tc := range map[string]struct {
		path, lastID string
		from, to     int
	}{
		"after the last seen":        {"/events", "1", 2, newest},
		"header before parameter":    {"/events?after=0", "7", 8, newest},
		"all there is":               {"/events?after=0", "", 1, newest},
		"over the end of a page":     {"/events", fmt.Sprint(eventPage - 1), eventPage, newest},
		"id of an older journal":     {"/events", "999999", newest + 1, newest},
		"only the news by default":   {"/events", "", newest + 1, newest},
		"the newest was seen before": {"/events", fmt.Sprint(newest), newest + 1, newest},
	} {
		t.Run(name, func(t *testing.T) { //nolint:tparallel // they share the one journal, which grows
			next, body := r.listen(t, tc.path, tc.lastID)
			for want := tc.from; want <= tc.to; want++ {
				if got := next(); id(got) != fmt.Sprintf("id: %d", want) {
					t.Fatalf("want %d, got %q", want, got)
				}
			}
			_ = body.Close()
		})
	}
	next, _ := r.listen(t, "/events", "999999")
	w.happen(1, upload.Event{UploadID: "u3", Channel: "flu", Name: "retry", To: upload.StateSent})
	if got := next(); id(got) != fmt.Sprintf("id: %d", newest+1) {
		t.Errorf("after an id of an older journal the news do not come: %q", got)
	}
}

func TestAStreamMayBeNarrowed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.happen(1, upload.Event{UploadID: "u3", Channel: "hqms", Name: "sent", To: upload.StateSent})
	w.happen(1, upload.Event{UploadID: "u4", Channel: "flu", Name: "sent", To: upload.StateSent})
	r := run(t, w.server(t, nil))
	for path, want := range map[string]string{"/events?after=0&channel=hqms": "id: 3", "/events?after=0&upload_id=u4": "id: 4", "/events?after=0&channel=flu&upload_id=u4": "id: 4"} {
		next, _ := r.listen(t, path, "")
		if got := next(); id(got) != want {
			t.Errorf("%s: %q, want %s", path, got, want)
		}
	}
}

func TestAQuietStreamOutlivesTheTimeOutsOfOtherCalls(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r := run(t, w.server(t, func(o *Options) {
		o.ReadTimeout, o.WriteTimeout, o.EventBeat, o.EventPoll = 100*time.Millisecond, 100*time.Millisecond, 400*time.Millisecond, time.Hour
	}))
	next, _ := r.listen(t, "/events", "")
	timer := time.AfterFunc(350*time.Millisecond, func() {
		w.happen(1, upload.Event{UploadID: "u3", Channel: "flu", Name: "sent", To: upload.StateSent})
	})
	defer timer.Stop()
	if got := next(); id(got) != "id: 3" {
		t.Errorf("got %q", got)
	}
}

func TestSignsOfLifeAskTheJournalNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r := run(t, w.server(t, func(o *Options) { o.EventBeat, o.EventPoll = 5*time.Millisecond, time.Hour }))
	_, body := r.listen(t, "/events", "")
	lines := bufio.NewScanner(body.(io.Reader))
	for beats := 0; beats < 10; { // the journal has been asked once by the first of them
		if !lines.Scan() {
			t.Fatal("the stream has ended")
		}
		if strings.HasPrefix(lines.Text(), ":") {
			beats++
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pages != 1 {
		t.Errorf("the journal was asked %d times while nothing happened", w.pages)
	}
}

func TestAClientThatDoesNotReadIsDroppedAndCostsLittle(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.log.awaited, w.log.happened = "event stream ended", make(chan struct{}, 1)
	const pages = 400
	w.happen(pages*eventPage, upload.Event{UploadID: "u3", Channel: "flu", Name: "retry", To: upload.StateSent, Detail: strings.Repeat("x", 2000)})
	r := run(t, w.server(t, func(o *Options) { o.EventStall = 100 * time.Millisecond }))
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	if _, err := fmt.Fprintf(conn, "GET /events?after=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", opToken); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.log.happened:
	case <-time.After(10 * time.Second):
		t.Fatal("it is still served")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pages >= pages {
		t.Errorf("all %d pages were read although nobody took them", w.pages)
	}
}

func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for range maxStreams {
		s.streams.free <- struct{}{}
	}
	if a := call(t, s, request{path: "/events"}); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "60" {
		t.Errorf("got %d", a.status)
	}
}

func TestAStreamEndsWhenTheServerStopsOrTheJournalFails(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r := run(t, w.server(t, func(o *Options) { o.EventPoll = time.Hour }))
	next, _ := r.listen(t, "/events", "")
	w.breakWith(errors.New("database is closed"))
	w.happen(1, upload.Event{})
	if got := next(); got != "end" {
		t.Errorf("after the journal failed: %q", got)
	}
	w.breakWith(nil)
	next, _ = r.listen(t, "/events", "")
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := next(); got != "end" || strings.Contains(w.log.String(), "cut off") {
		t.Errorf("after the server stopped: %q, log %s", got, w.log)
	}
}

func TestAStreamIsReleasedWhenItsClientLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.log.awaited, w.log.happened = "event stream ended", make(chan struct{}, 1)
	s := w.server(t, nil)
	r := run(t, s)
	_, body := r.listen(t, "/events", "")
	if len(s.streams.free) != 1 {
		t.Fatalf("%d streams are counted", len(s.streams.free))
	}
	_ = body.Close()
	<-w.log.happened
	if err := r.stop(); err != nil || len(s.streams.free) != 0 {
		t.Errorf("%d streams are still counted, %v", len(s.streams.free), err)
	}
}
