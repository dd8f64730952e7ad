package telemetry

import (
	"context"
	"crypto/rand"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// rootKey carries, to the generator of ids, those of an upload's root span.
type rootKey struct{}

type rootIDs struct {
	trace trace.TraceID
	span  trace.SpanID
}

// ids makes span ids at random, but gives a root span the ids its context
// carries: an upload's are in its row.
type ids struct{}

// NewIDs implements the SDK's IDGenerator; it is asked for root spans only.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if r, ok := ctx.Value(rootKey{}).(rootIDs); ok {
		return r.trace, r.span
	}
	var t trace.TraceID
	var s trace.SpanID
	_, _ = rand.Read(t[:]) // never fails
	_, _ = rand.Read(s[:])
	return t, s
}

// NewSpanID implements the SDK's IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	var s trace.SpanID
	_, _ = rand.Read(s[:])
	return s
}

// rootOf reads the ids of u's root span; false if the row has none.
func rootOf(u upload.Upload) (rootIDs, bool) {
	t, errT := trace.TraceIDFromHex(u.TraceID)
	s, errS := trace.SpanIDFromHex(u.RootSpanID)
	return rootIDs{t, s}, errT == nil && errS == nil
}

// under gives a context in which new spans hang under u's root span, as under a
// remote parent. Whether the trace is sampled is asked of the sampler as for
// the root itself, so that stages and root agree over restarts.
func (o *Observer) under(ctx context.Context, u upload.Upload) context.Context {
	root, ok := rootOf(u)
	if !ok {
		return ctx
	}
	var flags trace.TraceFlags
	if !o.silent {
		_, probe := o.tracer.Start(context.WithValue(ctx, rootKey{}, root), rootSpan, trace.WithNewRoot())
		flags = probe.SpanContext().TraceFlags() // it is never ended, and so never exported
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: root.trace, SpanID: root.span, TraceFlags: flags, Remote: true,
	}))
}

// Propagate writes the trace of ctx into a request's headers (traceparent).
func Propagate(ctx context.Context, h http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
}
