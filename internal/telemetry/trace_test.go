package telemetry

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func anUpload() upload.Upload {
	traceID, spanID := upload.NewTraceID()
	return upload.Upload{
		ID: upload.NewID(noon), Channel: upload.Flu, Kind: "flu", Filename: "flu_SECRETNAME.csv",
		State: upload.StateSpotted, SpottedAt: noon, TraceID: traceID, RootSpanID: spanID,
	}
}

// process is one run of the program with a clock of its own.
type process struct {
	*Telemetry
	passed atomic.Int64 // since at; the exporters' goroutines read the clock, too
	at     time.Time
}

func (p *process) now() time.Time { return p.at.Add(time.Duration(p.passed.Load())) }

func begin(t *testing.T, at time.Time) *process {
	t.Helper()
	p := &process{at: at}
	tel, err := Start(t.Context(), Options{Version: "test", Stdout: io.Discard, Now: p.now})
	if err != nil {
		t.Fatal(err)
	}
	p.Telemetry = tel
	return p
}

// stage runs a stage of d that ends in the outcome.
func (p *process) stage(t *testing.T, u upload.Upload, name string, d time.Duration, o upload.Outcome, fault error, during func(ctx context.Context)) upload.Upload {
	t.Helper()
	ctx, ended := p.Observer().StageBegan(t.Context(), u, name)
	if during != nil {
		during(ctx)
	}
	p.passed.Add(int64(d))
	after, err := o.Apply(u, p.now())
	if err != nil {
		t.Fatal(err)
	}
	ended(after, o, fault)
	return after
}

// collected sets the environment for c. Tests that use it change the process's
// environment, and so do not run in parallel.
func collected(t *testing.T) *collector {
	t.Helper()
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	return c
}

func TestTraceOfAnUploadIsWholeOverARestart(t *testing.T) {
	c := collected(t)
	u := anUpload()
	ticket := upload.Ticket{Token: "SECRETTOKEN", Fate: upload.Answered, IssuedAt: noon}

	first := begin(t, noon)
	u = first.stage(t, u, "settle", 0, upload.HoldLooking(time.Second, upload.QuietPeriod, upload.Identity{Size: 9}), nil, nil)
	u = first.stage(t, u, "settle", 2*time.Second, upload.Settled(upload.Identity{Size: 9}), nil, nil)
	u = first.stage(t, u, "validate", time.Second, upload.Validated(upload.Examination{Digest: "sha-256:x", Rows: 3, PackedSize: 5, PackedDigest: "sha-256:y"}), nil, nil)
	u = first.stage(t, u, "pack", time.Second, upload.Packed(), nil, nil)
	must(t, first.Shutdown(context.Background()))

	second := begin(t, noon.Add(time.Hour))
	u = second.stage(t, u, "transmit", time.Second, upload.Sent(ticket, ""), nil, func(ctx context.Context) {
		_, end := second.Observer().RequestSpan(ctx, "gettoken", "ts.example.org")
		end(http.StatusOK, nil)
	})
	u = second.stage(t, u, "confirm", time.Second, upload.Polled(ticket, time.Second, upload.ServerWorking), nil, func(ctx context.Context) {
		_, end := second.Observer().RequestSpan(ctx, "findResult", "ts.example.org")
		end(http.StatusOK, nil)
	})
	u = second.stage(t, u, "confirm", time.Second, upload.Decided(upload.Accepted, "", nil), nil, nil)
	u = second.stage(t, u, "retire", time.Second, upload.Retired(upload.InArchive, "archive/x", ""), nil, nil)
	must(t, second.Shutdown(context.Background()))

	root := one(t, c, "upload")
	if got := hex.EncodeToString(root.GetSpanId()); got != u.RootSpanID || len(root.GetParentSpanId()) != 0 {
		t.Errorf("root span: id %s, parent %x; want id %s and no parent", got, root.GetParentSpanId(), u.RootSpanID)
	}
	if start, end := at(root.GetStartTimeUnixNano()), at(root.GetEndTimeUnixNano()); !start.Equal(noon) || !end.Equal(u.FinishedAt) {
		t.Errorf("root span: %s to %s, want %s to %s", start, end, noon, u.FinishedAt)
	}
	for _, name := range []string{"settle", "validate", "pack", "transmit", "confirm", "retire"} {
		s := one(t, c, name)
		if hex.EncodeToString(s.GetTraceId()) != u.TraceID || hex.EncodeToString(s.GetParentSpanId()) != u.RootSpanID {
			t.Errorf("span %s does not hang under the root", name)
		}
		if attr(s, "hqms.upload.id") != string(u.ID) || attr(s, "hqms.channel") != "flu" || attr(s, "hqms.kind") != "flu" {
			t.Errorf("span %s lacks its upload: %v", name, s.GetAttributes())
		}
	}
	if s := one(t, c, "settle"); !at(s.GetStartTimeUnixNano()).Equal(noon) {
		t.Errorf("settle begins at %s, not when the waiting began", at(s.GetStartTimeUnixNano()))
	}
	if request, parent := one(t, c, "gettoken"), one(t, c, "transmit"); string(request.GetParentSpanId()) != string(parent.GetSpanId()) {
		t.Error("the request does not hang under its stage")
	}
	if polls := c.named("findResult"); len(polls) != 0 {
		t.Errorf("a poll without change left %d spans", len(polls))
	}
	if c.service != "hqms-sidecar" {
		t.Errorf("service.name is %q", c.service)
	}
	for _, s := range c.spans {
		if text := s.String(); strings.Contains(text, "SECRET") {
			t.Errorf("span %s gives something away: %s", s.GetName(), text)
		}
	}
}

func TestLocalFaultLeavesOneSpanHoweverOftenItIsLookedAt(t *testing.T) {
	c := collected(t)
	p := begin(t, noon)
	u := anUpload()
	fault := upload.LocalFaultOf(upload.DiskFull, "no space", errors.New("ENOSPC"))
	for range 5 {
		u = p.stage(t, u, "settle", time.Second, upload.Hold(time.Second, upload.DiskFull, ""), fault, nil)
	}
	must(t, p.Shutdown(context.Background()))
	s := one(t, c, "settle")
	if s.GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR || attr(s, "error.type") != "disk_full" {
		t.Errorf("span does not show the fault: %v", s)
	}
	if len(c.named("upload")) != 0 {
		t.Error("the root was emitted although the upload goes on")
	}
}

func TestOperatorsEndEmitsTheRoot(t *testing.T) {
	c := collected(t)
	p := begin(t, noon)
	before := anUpload()
	after, err := upload.Cancelled().Apply(before, noon.Add(time.Minute))
	must(t, err)
	p.Observer().Ended(t.Context(), before, after)
	over, cancel := context.WithCancel(context.Background())
	cancel() // the signal that ends the program has ended its context too
	must(t, p.Shutdown(over))
	if s := one(t, c, "upload"); attr(s, "hqms.state") != "cancelled" {
		t.Errorf("root: %v", s.GetAttributes())
	}
}

func TestRequestsCarryTheTraceAlsoWithoutAnExporter(t *testing.T) {
	t.Parallel()
	p := begin(t, noon)
	defer p.Shutdown(context.Background())
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Traceparent") }))
	defer server.Close()
	u := anUpload()
	ctx, ended := p.Observer().StageBegan(t.Context(), u, "transmit")
	client := &http.Client{Transport: p.Observer().Transport(http.DefaultTransport, nil)}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"?pwd=SECRET", nil)
	must(t, err)
	resp, err := client.Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	ended(u, upload.Hold(0, "", ""), nil)
	if !strings.HasPrefix(got, "00-"+u.TraceID+"-") {
		t.Errorf("traceparent is %q, the trace %s", got, u.TraceID)
	}
	if req.Header.Get("Traceparent") != "" {
		t.Error("the caller's request was changed")
	}
}

func TestRequestSpanHoldsNoURL(t *testing.T) {
	c := collected(t)
	p := begin(t, noon)
	client := &http.Client{Transport: p.Observer().Transport(http.DefaultTransport, func(*http.Request) string { return "gettoken" })}
	for _, url := range []string{c.URL + "/other?pwd=SECRET", "http://127.0.0.1:1/?pwd=SECRET"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t, err)
		if resp, err := client.Do(req); err == nil {
			must(t, resp.Body.Close())
		}
	}
	must(t, p.Shutdown(context.Background()))
	spans := c.named("gettoken")
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	for _, s := range spans {
		if attr(s, "server.address") != "127.0.0.1" || strings.Contains(s.String(), "SECRET") {
			t.Errorf("span: %s", s)
		}
	}
	if spans[1].GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR {
		t.Error("the refused connection is no error")
	}
}

func TestAPIRequestIsNamedByItsRouteAndProbesLeaveNone(t *testing.T) {
	c := collected(t)
	p := begin(t, noon)
	h := p.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Pattern = "/uploads/:id" }))
	for _, path := range []string{"/uploads/1", "/livez", "/metrics"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	must(t, p.Shutdown(context.Background()))
	one(t, c, "GET /uploads/:id")
	if len(c.spans) != 1 {
		t.Errorf("%d spans, want 1", len(c.spans))
	}
}

func TestLogsAndMetricsReachTheCollector(t *testing.T) {
	c := collected(t)
	p := begin(t, noon)
	p.Logger().InfoContext(t.Context(), "hello")
	p.Logger().DebugContext(t.Context(), "too quiet")
	p.Observer().Ended(t.Context(), anUpload(), upload.Upload{Channel: upload.Flu, Kind: "flu", State: upload.StateDecided, Verdict: upload.Accepted})
	must(t, p.Shutdown(context.Background()))
	if len(c.logs) != 1 || c.logs[0] != "hello" {
		t.Errorf("logs: %q", c.logs)
	}
	if !strings.Contains(strings.Join(c.metrics, " "), metricUploads) {
		t.Errorf("metrics: %q", c.metrics)
	}
}

func one(t *testing.T, c *collector, name string) *tracepb.Span {
	t.Helper()
	spans := c.named(name)
	if len(spans) != 1 {
		t.Fatalf("%d spans named %s, want 1", len(spans), name)
	}
	return spans[0]
}

func attr(s *tracepb.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

func at(ns uint64) time.Time { return time.Unix(0, int64(ns)).UTC() }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
