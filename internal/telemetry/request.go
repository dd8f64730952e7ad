package telemetry

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// RequestSpan begins the span of one request to a server: a name out of a small
// set ("gettoken"), and the host. Never a URL: its query may be a password. The
// function ends it with the answer's status, or the error; the error's text is
// not used.
func (o *Observer) RequestSpan(ctx context.Context, name, host string) (context.Context, func(status int, err error)) {
	ctx, span := o.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(o.now()),
		trace.WithAttributes(attribute.String("server.address", host)))
	if !span.IsRecording() {
		return ctx, func(int, error) {}
	}
	return ctx, func(status int, err error) {
		at := o.now()
		end := func() {
			if status > 0 {
				span.SetAttributes(attribute.Int("http.response.status_code", status))
			}
			if err != nil || status >= http.StatusBadRequest {
				span.SetStatus(codes.Error, http.StatusText(status))
			}
			span.End(trace.WithTimestamp(at))
		}
		if run, ok := ctx.Value(runKey{}).(*stageRun); ok {
			run.keep(end)
			return
		}
		end()
	}
}

// Transport gives base's requests a span and a traceparent header. name names a
// request in few words; nil, or an empty name: its method.
func (o *Observer) Transport(base http.RoundTripper, name func(*http.Request) string) http.RoundTripper {
	return transport{base: base, name: name, observer: o}
}

type transport struct {
	base     http.RoundTripper
	name     func(*http.Request) string
	observer *Observer
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method
	if t.name != nil {
		if n := t.name(r); n != "" {
			name = n
		}
	}
	ctx, end := t.observer.RequestSpan(r.Context(), name, r.URL.Hostname())
	r = r.Clone(ctx)
	Propagate(ctx, r.Header)
	resp, err := t.base.RoundTrip(r)
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	end(status, err)
	return resp, err
}

// quiet are paths that are asked every few seconds: no span for them.
func quiet(path string) bool {
	switch path {
	case "/livez", "/readyz", "/healthz", "/metrics":
		return true
	default:
		return false
	}
}

// served is the address of the API in metrics and spans. Without it, and without a
// port, these have what a request names as host: anybody could make as many series
// as they like. Port 0 is left out.
const served = "hqms-sidecar:0"

func (t *Telemetry) serve(next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, "api",
		otelhttp.WithTracerProvider(t.tracers),
		otelhttp.WithMeterProvider(t.meters),
		otelhttp.WithServerName(served),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(func(r *http.Request) bool { return !quiet(r.URL.Path) }),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			return strings.TrimSpace(r.Method + " " + r.Pattern)
		}))
}
