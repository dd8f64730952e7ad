package telemetry

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// formatted is a handler that writes in the format asked for.
func formatted(w io.Writer, o Options) slog.Handler {
	opts := &slog.HandlerOptions{Level: o.LogLevel}
	if o.LogFormat == "text" {
		return slog.NewTextHandler(w, opts)
	}
	return slog.NewJSONHandler(w, opts)
}

const (
	traceKey = "trace_id"
	spanKey  = "span_id"
)

// traced adds the ids of the span in the context, unless the line has a
// trace_id already.
type traced struct {
	slog.Handler
	has bool
}

func withTrace(h slog.Handler) slog.Handler { return traced{Handler: h} }

// Handle implements slog.Handler.
func (h traced) Handle(ctx context.Context, r slog.Record) error {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return h.Handler.Handle(ctx, r)
	}
	has := h.has
	r.Attrs(func(a slog.Attr) bool {
		has = has || a.Key == traceKey
		return !has
	})
	r = r.Clone()
	if !has {
		r.AddAttrs(slog.String(traceKey, sc.TraceID().String()))
	}
	r.AddAttrs(slog.String(spanKey, sc.SpanID().String()))
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	has := h.has
	for _, a := range attrs {
		has = has || a.Key == traceKey
	}
	return traced{h.Handler.WithAttrs(attrs), has}
}

// WithGroup implements slog.Handler.
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name), h.has} }

// atLeast keeps lines below a level from a handler that has none.
type atLeast struct {
	slog.Handler
	level slog.Leveler
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level.Level() && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}
