package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAClientThatDoesNotFinishItsRequestIsDropped(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]string{
		"nothing": "",
		"headers": "GET /status HTTP/1.1\r\nHost: x\r\n",
		"body":    "POST /uploads/trigger HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + opToken + "\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, newWorld().server(t, func(o *Options) { o.ReadTimeout = 50 * time.Millisecond }))
			var d net.Dialer
			conn, err := d.DialContext(t.Context(), "tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, begun); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if got, err := io.ReadAll(conn); err != nil {
				t.Errorf("the connection is not closed: %v after %q", err, got)
			}
		})
	}
}

func TestRunningCallsMayEndWhenTheServerStops(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	w := newWorld()
	r := run(t, w.server(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-leave
			_, _ = rw.Write([]byte("whole"))
		})
	}))
	got := make(chan string, 1)
	go func() { got <- r.get(t, "/metrics") }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	close(leave)
	if body := <-got; body != "whole" {
		t.Errorf("got %q", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func (r running) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, r.base+path, nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	req.Header.Set("Authorization", "Bearer "+opToken)
	res, err := r.client.Do(req)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

func TestCallsThatDoNotEndAreCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld()
	entered := make(chan struct{})
	r := run(t, w.server(t, func(o *Options) {
		o.ShutdownGrace = 20 * time.Millisecond
		o.Metrics = http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			close(entered)
			<-req.Context().Done()
		})
	}))
	got := make(chan error, 1)
	go func() {
		req, _ := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, r.base+"/metrics", nil)
		req.Header.Set("Authorization", "Bearer "+opToken)
		res, err := r.client.Do(req)
		if err == nil {
			err = res.Body.Close()
		}
		got <- err
	}()
	<-entered
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	<-got
	if !strings.Contains(w.log.String(), "cut off") {
		t.Errorf("it is not said: %s", w.log)
	}
}

func TestMiddlewareHandedInSeesEveryCallOutermost(t *testing.T) {
	t.Parallel()
	var seen []string
	s := newWorld().server(t, func(o *Options) {
		o.Middleware = []echo.MiddlewareFunc{func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				err := next(c)
				if err != nil {
					c.Error(err)
				}
				seen = append(seen, c.Path()+" "+http.StatusText(c.Response().Status))
				return err
			}
		}}
	})
	call(t, s, request{path: "/uploads/full"})
	call(t, s, request{path: "/uploads/full", token: "-"})
	call(t, s, request{path: "/uploads/none"})
	if got := strings.Join(seen, ", "); got != "/uploads/:id OK, /uploads/:id Unauthorized, /uploads/:id Not Found" {
		t.Errorf("got %s", got)
	}
}
