package pipeline

import (
	"context"
	"log/slog"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// announce tells the outside of a recorded outcome.
func (p *Pipeline) announce(stage Stage, before, after upload.Upload, o upload.Outcome) {
	if before.State != after.State {
		attrs := append(uploadAttrs(after, stage), slog.String("from", string(before.State)), slog.String("state", string(after.State)))
		if after.Verdict != "" {
			attrs = append(attrs, slog.String("verdict", string(after.Verdict)))
		}
		if after.Reason != "" {
			attrs = append(attrs, slog.String("reason", string(after.Reason)))
		}
		level := slog.LevelInfo
		if after.State == upload.StateDecided && !after.Verdict.Good() {
			level = slog.LevelWarn // a file came to a bad end: somebody has to look at it
		}
		p.Logger.LogAttrs(context.Background(), level, "upload moved on", attrs...)
	} else if o.Reason() != before.Reason {
		p.Logger.LogAttrs(context.Background(), slog.LevelDebug, "upload waits", append(uploadAttrs(after, stage), slog.String("reason", string(o.Reason())))...)
	}
	p.Recorded(stage.Name, before, after)
}

// logFault tells of a fault: once an upload and reason at warn level, repeated
// tries at debug level, what needs a human at error level.
func (p *Pipeline) logFault(stage Stage, u upload.Upload, f *upload.Fault) {
	ctx := context.Background()
	attrs := append(uploadAttrs(u, stage), slog.String("reason", string(f.Reason)), slog.String("class", f.Class.String()), slog.Any("error", f))
	switch {
	case f.Class == upload.Permanent, f.Reason == upload.InternalFault:
		p.Logger.LogAttrs(ctx, slog.LevelError, "stage failed", attrs...)
	case u.Reason == f.Reason:
		p.Logger.LogAttrs(ctx, slog.LevelDebug, "stage still fails", attrs...)
	default:
		p.Logger.LogAttrs(ctx, slog.LevelWarn, "stage failed, will try again", attrs...)
	}
}

// uploadAttrs say which upload it is, and have room for what it came to.
func uploadAttrs(u upload.Upload, stage Stage) []slog.Attr {
	return append(make([]slog.Attr, 0, 11),
		slog.String("upload_id", string(u.ID)), slog.String("channel", string(u.Channel)), slog.String("kind", string(u.Kind)),
		slog.String("filename", u.Filename), slog.String("stage", stage.Name), slog.Int("attempt", u.Attempt),
		slog.String("trace_id", u.TraceID),
	)
}
