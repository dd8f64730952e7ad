package channel

import (
	"context"
	"errors"
	"slices"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// unreachable are the faults that say that the server is away.
func unreachable() []upload.Reason {
	return []upload.Reason{upload.ServerUnreachable, upload.ServerTimeout, upload.ServerTLS}
}

// unusable are the faults that, at an admission, say that a server is there
// but not of use.
func unusable() []upload.Reason {
	return []upload.Reason{upload.ServerError, upload.ServerUnreadable, upload.ServerMisconfigured}
}

// Heard tells how a call to the server, other than an admission, ended.
func (g *Gate) Heard(ctx context.Context, err error) { g.hear(ctx, err, false) }

// hear keeps the channel's being offline. What makes it so is a call that did
// not reach the server, or an admission that came to nothing; what ends it is a
// call that succeeds, and after a useless admission only an admission.
func (g *Gate) hear(ctx context.Context, err error, admission bool) {
	if err != nil && isOver(err) {
		return
	}
	g.mu.Lock()
	before := g.offline
	f, _ := errors.AsType[*upload.Fault](err)
	switch {
	case err == nil:
		if admission || slices.Contains(unreachable(), before.reason) {
			g.offline = trouble{}
		}
	case f == nil:
	case f.Class == upload.Refused: // it answered
		g.offline = trouble{}
	case slices.Contains(unreachable(), f.Reason), admission && slices.Contains(unusable(), f.Reason):
		g.offline.reason, g.offline.detail = f.Reason, f.Detail
		if !before.is() {
			g.offline.since = g.o.Now().UTC()
		}
	}
	changed := before.is() != g.offline.is() || before.reason != g.offline.reason
	back := before.is() && !g.offline.is() && err == nil
	g.mu.Unlock()
	g.announce()
	if changed {
		g.keep(ctx, func(*Record) {}) // the state is part of it
	}
	if back {
		g.wake(ctx, append(append(unreachable(), unusable()...), upload.UploadBroken)...)
	}
}
