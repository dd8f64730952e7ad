package telemetry

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// rootSpan is the name of the span of a whole upload.
const rootSpan = "upload"

// Observer traces and measures uploads on their way. Safe for concurrent use.
type Observer struct {
	tracer  trace.Tracer
	metrics *metrics
	now     func() time.Time
	silent  bool // no span is ever exported: of them only the ids matter
}

// StageBegan is called when a stage begins to work on u. The context it gives
// is for the stage: requests made under it become spans below the stage's. The
// function must be called once, when the outcome is recorded: after is the
// upload as it then is, err the stage's fault, if any.
//
// A span is emitted if the upload moved on, or if the stage failed for a reason
// that the upload did not show before (a passing fault: each time). Holds and
// polls leave none.
func (o *Observer) StageBegan(ctx context.Context, u upload.Upload, stage string) (context.Context, func(after upload.Upload, outcome upload.Outcome, err error)) {
	began, was := o.now(), standingOf(u)
	run := &stageRun{}
	ctx, span := o.tracer.Start(o.under(ctx, u), stage, trace.WithTimestamp(waitedSince(u, began)))
	ctx = context.WithValue(ctx, runKey{}, run)
	return ctx, func(after upload.Upload, outcome upload.Outcome, err error) {
		ended := o.now()
		moved := after.State != was.state
		if !moved && !tellsNew(was.reason, err) {
			return // neither the span nor its requests are ended: they are dropped
		}
		if span.IsRecording() {
			run.endAll()
			span.SetAttributes(attributesOf(after)...)
			span.SetAttributes(attribute.String("hqms.outcome", outcome.Name()), attribute.Int("hqms.attempt", was.attempt+1))
			fail(span, err)
			span.End(trace.WithTimestamp(ended))
		}
		o.metrics.stage(ctx, stage, ended.Sub(began))
		if moved {
			o.moved(ctx, was, after)
		}
	}
}

// standing is what an upload is compared with as it was before. A whole one would
// have to be kept in memory for each stage at work.
type standing struct {
	state   upload.State
	verdict upload.Verdict
	reason  upload.Reason
	attempt int
}

func standingOf(u upload.Upload) standing { return standing{u.State, u.Verdict, u.Reason, u.Attempt} }

// Ended is called for an upload that an operator's call brought to its end,
// outside any stage.
func (o *Observer) Ended(ctx context.Context, before, after upload.Upload) {
	o.moved(ctx, standingOf(before), after)
}

// moved counts a new verdict and emits the root span of an upload that ended.
func (o *Observer) moved(ctx context.Context, before standing, after upload.Upload) {
	if after.Verdict != "" && before.verdict == "" {
		o.metrics.verdict(ctx, after)
	}
	if o.silent || !after.State.Final() || before.state.Final() {
		return
	}
	root, ok := rootOf(after)
	if !ok {
		return
	}
	_, span := o.tracer.Start(context.WithValue(ctx, rootKey{}, root), rootSpan, trace.WithNewRoot(), trace.WithTimestamp(after.SpottedAt))
	span.SetAttributes(attributesOf(after)...)
	span.SetAttributes(attribute.String("hqms.state", string(after.State)))
	if !after.Verdict.Good() {
		span.SetStatus(codes.Error, string(after.Reason))
	}
	end := after.FinishedAt
	if end.IsZero() {
		end = o.now()
	}
	span.End(trace.WithTimestamp(end))
}

// waitedSince is when the span of a stage begins: for a stage whose work is
// waiting, when the waiting began; else now.
func waitedSince(u upload.Upload, now time.Time) time.Time {
	switch {
	case u.State == upload.StateSpotted && !u.SpottedAt.IsZero():
		return u.SpottedAt
	case u.State == upload.StateSent && !u.SentAt.IsZero():
		return u.SentAt
	default:
		return now
	}
}

// tellsNew reports whether a fault that leaves the upload where it is, for which it
// showed reason, is worth a span: local faults and refusals are looked at again
// every few seconds.
func tellsNew(reason upload.Reason, err error) bool {
	if err == nil {
		return false
	}
	f := upload.AsFault(err)
	return f.Class == upload.Passing || f.Class == upload.Permanent || f.Reason != reason
}

func fail(span trace.Span, err error) {
	if err == nil {
		return
	}
	// The reason alone: a detail may be the server's words.
	f := upload.AsFault(err)
	span.SetAttributes(attribute.String("error.type", string(f.Reason)), attribute.String("hqms.fault.class", f.Class.String()))
	span.SetStatus(codes.Error, string(f.Reason))
}

// attributesOf describes an upload; every span carries them, since a sampler
// may see a late span alone.
func attributesOf(u upload.Upload) []attribute.KeyValue {
	all := []attribute.KeyValue{
		attribute.String("hqms.channel", string(u.Channel)),
		attribute.String("hqms.kind", string(u.Kind)),
		attribute.String("hqms.upload.id", string(u.ID)),
		attribute.Int("hqms.attempt", u.Attempt),
		attribute.Int64("hqms.bytes.source", u.Source.Size),
	}
	if u.Digest != "" {
		all = append(all, attribute.Int64("hqms.rows", u.Rows))
	}
	if u.PackedSize > 0 {
		all = append(all, attribute.Int64("hqms.bytes.packed", u.PackedSize))
	}
	if u.Polls > 0 {
		all = append(all, attribute.Int("hqms.polls", u.Polls))
	}
	if u.Verdict != "" {
		all = append(all, attribute.String("hqms.verdict", string(u.Verdict)))
	}
	if u.Reason != "" {
		all = append(all, attribute.String("hqms.reason", string(u.Reason)))
	}
	return all
}

// runKey carries the run of a stage to the requests made in it.
type runKey struct{}

// stageRun keeps the ends of its requests' spans until it is known whether the
// stage leaves a span at all.
type stageRun struct {
	mu   sync.Mutex
	ends []func()
}

const maxRequests = 64 // of one run; more are not traced

func (r *stageRun) keep(end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ends) < maxRequests {
		r.ends = append(r.ends, end)
	}
}

func (r *stageRun) endAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, end := range r.ends {
		end()
	}
	r.ends = nil
}
