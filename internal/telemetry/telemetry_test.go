package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), // idle connections of the default transport
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func TestNothingIsExportedWhenNoVariableAsksForIt(t *testing.T) {
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		if wanted(signal) {
			t.Errorf("%s: wanted although nothing is set", signal)
		}
	}
}

func TestStandardVariablesSwitchExporters(t *testing.T) {
	tests := []struct {
		name, variable, value string
		want                  bool
	}{
		{"endpoint for all", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", true},
		{"endpoint of the signal", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x", true},
		{"endpoint of another signal", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://x", false},
		{"exporter", "OTEL_TRACES_EXPORTER", "console", true},
		{"none", "OTEL_TRACES_EXPORTER", "none", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(tt.variable, tt.value)
			if got := wanted("TRACES"); got != tt.want {
				t.Errorf("wanted = %v", got)
			}
			t.Setenv("OTEL_SDK_DISABLED", "true")
			if wanted("TRACES") {
				t.Error("wanted although the SDK is disabled")
			}
		})
	}
}

func TestUnknownExporterIsRefused(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "nosuch")
	if _, err := Start(t.Context(), Options{Stdout: io.Discard}); err == nil || !strings.Contains(err.Error(), "traces") {
		t.Errorf("error: %v", err)
	}
}

// A collector that takes connections and never answers is worse than none.
func TestDeadCollectorCostsAtMostTwoSecondsAtTheEnd(t *testing.T) {
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer silent.Close()
	for _, endpoint := range []string{"http://" + silent.Addr().String(), "http://127.0.0.1:1"} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
		p := begin(t, noon)
		p.Logger().Info("lost")
		u := anUpload()
		p.stage(t, u, "settle", time.Second, upload.Settled(upload.Identity{Size: 1}), nil, nil)
		began := time.Now()
		err := p.Shutdown(context.Background())
		if took := time.Since(began); took > shutdownBudget+300*time.Millisecond {
			t.Errorf("%s: shutdown took %s", endpoint, took)
		}
		if err == nil {
			t.Errorf("%s: the loss is not told", endpoint)
		}
	}
}

func TestMetricNamesAreTheContract(t *testing.T) {
	t.Parallel()
	tel, err := Start(t.Context(), Options{
		Stdout: io.Discard, Now: func() time.Time { return noon.Add(time.Minute) },
		Kinds: map[upload.Channel][]upload.Kind{upload.Flu: {"flu"}},
	})
	must(t, err)
	defer tel.Shutdown(context.Background())
	tel.Observe(SourceFunc(func(context.Context) (Snapshot, error) {
		return Snapshot{
			Backlog:      []Backlog{{Channel: upload.Flu, State: upload.StatePacked, Files: 2, Bytes: 700, Oldest: noon}},
			LastAccepted: []LastAccepted{{Channel: upload.Flu, Kind: "flu", At: noon}},
			Channels:     []ChannelState{{Channel: upload.Flu, State: "ready", States: []string{"ready", "paused"}}},
		}, nil
	}))
	u := anUpload()
	_, ended := tel.Observer().StageBegan(t.Context(), u, "settle")
	after := u
	after.State, after.Verdict = upload.StateDecided, upload.Accepted
	ended(after, upload.Decided(upload.Accepted, "", nil), nil)

	page := scrape(t, tel)
	for _, line := range []string{
		`hqms_uploads_total{channel="flu",kind="flu",verdict="accepted"} 1`,
		`hqms_uploads_total{channel="flu",kind="flu",verdict="rejected"} 0`,
		`hqms_stage_duration_seconds_count{stage="settle"} 1`,
		`hqms_backlog_files{channel="flu",state="packed"} 2`,
		`hqms_backlog_files{channel="flu",state="failed"} 0`,
		`hqms_backlog_bytes 700`,
		`hqms_oldest_pending_seconds{channel="flu"} 60`,
		`hqms_last_accepted_timestamp_seconds{channel="flu",kind="flu"} 1.7954352e+09`,
		`hqms_channel_state{channel="flu",state="ready"} 1`,
		`hqms_channel_state{channel="flu",state="paused"} 0`,
	} {
		if !strings.Contains(page, "\n"+line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	for _, name := range []string{"go_goroutine_count", "go_memory_used_bytes", "process_resident_memory_bytes", "target_info"} {
		if !strings.Contains(page, "\n"+name) {
			t.Errorf("missing: %s", name)
		}
	}
}

func TestTheOldestsAgeIsByTheClockOfWhoSpottedIt(t *testing.T) {
	t.Parallel()
	tel, err := Start(t.Context(), Options{Stdout: io.Discard, Now: func() time.Time { return noon.Add(time.Hour) }})
	must(t, err)
	defer tel.Shutdown(context.Background())
	tel.Observe(SourceFunc(func(context.Context) (Snapshot, error) {
		return Snapshot{
			At: noon.Add(time.Minute), Backlog: []Backlog{{Channel: upload.Flu, State: upload.StatePacked, Files: 1, Oldest: noon}},
			Channels: []ChannelState{{Channel: upload.Flu}},
		}, nil
	}))
	if page := scrape(t, tel); !strings.Contains(page, "\nhqms_oldest_pending_seconds{channel=\"flu\"} 60\n") {
		t.Errorf("page:\n%s", page)
	}
}

func TestScrapeGoesOnWhenTheJournalDoesNotAnswer(t *testing.T) {
	t.Parallel()
	tel, err := Start(t.Context(), Options{Stdout: io.Discard, Kinds: map[upload.Channel][]upload.Kind{upload.Flu: {"flu"}}})
	must(t, err)
	defer tel.Shutdown(context.Background())
	tel.Observe(SourceFunc(func(context.Context) (Snapshot, error) { return Snapshot{}, errors.New("locked") }))
	if page := scrape(t, tel); !strings.Contains(page, metricUploads) || strings.Contains(page, metricFiles) {
		t.Errorf("page:\n%s", page)
	}
}

// A request names the host it wants, and does so before it says who asks.
func TestTheHostThatARequestNamesIsInNoMetric(t *testing.T) {
	t.Parallel()
	tel, err := Start(t.Context(), Options{Stdout: io.Discard})
	must(t, err)
	defer tel.Shutdown(context.Background())
	api := tel.Handler(http.NotFoundHandler())
	for _, host := range []string{"one.example", "two.example:81", "[2001:db8::1]:82", "three.example:"} {
		r := httptest.NewRequest(http.MethodGet, "/uploads", nil)
		r.Host = host
		api.ServeHTTP(httptest.NewRecorder(), r)
	}
	page := scrape(t, tel)
	if n := strings.Count(page, "\nhttp_server_request_duration_seconds_count{"); n != 1 || strings.Contains(page, "example") {
		t.Errorf("%d series:\n%s", n, page)
	}
}

func scrape(t *testing.T, tel *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestLogLinesCarryTheTraceOnce(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	var out bytes.Buffer
	log := slog.New(withTrace(slog.NewJSONHandler(&out, nil)))
	log.InfoContext(ctx, "one")
	log.InfoContext(ctx, "two", "trace_id", "own")
	log.With("trace_id", "bound").InfoContext(ctx, "three")
	log.Info("four")
	var got []string
	for line := range strings.Lines(out.String()) {
		if strings.Count(line, traceKey) > 1 {
			t.Errorf("twice: %s", line)
		}
		var m map[string]any
		must(t, json.Unmarshal([]byte(line), &m))
		id, _ := m[traceKey].(string)
		got = append(got, id)
	}
	if diff := cmp.Diff([]string{sc.TraceID().String(), "own", "bound", ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestComplaintsOfExportersAreRareAndHoldNoAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := newComplaints(slog.New(slog.NewTextHandler(&out, nil)), time.Now)
		failure := &url.Error{Op: "Post", URL: "https://user:SECRET@collector/?key=SECRET", Err: errors.New("connection refused")}
		for range 100 {
			c.Handle(failure)
		}
		<-time.After(time.Minute)
		c.Handle(failure)
		text := out.String()
		if n := strings.Count(text, "\n"); n != 2 || !strings.Contains(text, "unreported=99") {
			t.Errorf("%d lines:\n%s", n, text)
		}
		if strings.Contains(text, "SECRET") || !strings.Contains(text, "connection refused") {
			t.Errorf("log:\n%s", text)
		}
	})
}
