package e2e

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP/HTTP collector that keeps what it gets.
type collector struct {
	*httptest.Server

	mu     sync.Mutex
	spans  []*tracepb.Span
	bodies map[string][]byte // by path, all that came
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{bodies: map[string][]byte{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// env is what makes a sidecar send to the collector, and soon.
func (c *collector) env() []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_BSP_SCHEDULE_DELAY=20", "OTEL_BLRP_SCHEDULE_DELAY=20", "OTEL_METRIC_EXPORT_INTERVAL=200",
	}
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		in = z
	}
	body, err := io.ReadAll(in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies[r.URL.Path] = append(c.bodies[r.URL.Path], body...)
	if r.URL.Path != "/v1/traces" {
		return
	}
	var req coltrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, rs := range req.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			c.spans = append(c.spans, ss.GetSpans()...)
		}
	}
}

// trace gives the spans of one trace.
func (c *collector) trace(id string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*tracepb.Span
	for _, s := range c.spans {
		if fmt.Sprintf("%x", s.GetTraceId()) == id {
			all = append(all, s)
		}
	}
	return all
}

// received is how much came to each path.
func (c *collector) received() map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string][]byte{}
	for path, b := range c.bodies {
		all[path] = slices.Clone(b)
	}
	return all
}

// drawn is a trace as a tree of text: names, begin and duration, attributes.
func drawn(spans []*tracepb.Span) string {
	below := map[string][]*tracepb.Span{}
	known := map[string]bool{}
	for _, s := range spans {
		known[string(s.GetSpanId())] = true
	}
	var begin uint64
	for _, s := range spans {
		parent := string(s.GetParentSpanId())
		if !known[parent] {
			parent = ""
		}
		below[parent] = append(below[parent], s)
		if begin == 0 || s.GetStartTimeUnixNano() < begin {
			begin = s.GetStartTimeUnixNano()
		}
	}
	var b strings.Builder
	var draw func(parent, indent string)
	draw = func(parent, indent string) {
		children := below[parent]
		slices.SortFunc(children, func(x, y *tracepb.Span) int {
			return int(int64(x.GetStartTimeUnixNano()) - int64(y.GetStartTimeUnixNano()))
		})
		for _, s := range children {
			fmt.Fprintf(&b, "%-34s +%-10v %-10v %s\n", indent+s.GetName(), time.Duration(s.GetStartTimeUnixNano()-begin).Round(10*time.Microsecond),
				time.Duration(s.GetEndTimeUnixNano()-s.GetStartTimeUnixNano()).Round(10*time.Microsecond), attributes(s))
			draw(string(s.GetSpanId()), indent+"  ")
		}
	}
	draw("", "")
	return b.String()
}

func attributes(s *tracepb.Span) string {
	var all []string
	for _, a := range s.GetAttributes() {
		switch a.GetKey() {
		case "hqms.outcome", "hqms.verdict", "hqms.reason", "http.request.method", "http.response.status_code", "server.address", "error.type", "hqms.rows", "hqms.bytes.packed":
			v := a.GetValue().GetStringValue()
			if v == "" {
				v = fmt.Sprint(a.GetValue().GetIntValue())
			}
			all = append(all, strings.TrimPrefix(a.GetKey(), "hqms.")+"="+v)
		}
	}
	return strings.Join(all, " ")
}
