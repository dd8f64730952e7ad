package bench

import (
	"context"
	"testing"
	"time"
)

// idle measures both channels on, a few files done, and nothing to do.
func (b *bench) idle(ctx context.Context, t *testing.T) {
	s := b.sidecar(ctx, t, home(t), b.sandbox(ctx, t), "SETTLE=closed", "POLL_MIN=20ms")
	s.ready(ctx, t)
	events := s.follow(ctx, t)
	for i := range 10 {
		closing(t, s.flu, fileName(i), b.small(t, uint64(i)))
	}
	journeys(ctx, t, events, 10)
	pause(ctx, t, 45*time.Second)                                             // until it has given back what it does not need
	window := time.Duration(setting(t, "HQMS_BENCH_IDLE", 120)) * time.Second // some rescans
	before := s.cpu(t)
	pause(ctx, t, window)
	used := s.cpu(t) - before
	b.atMost(figure{Part: "idle", What: "processor time, both channels on", Value: 100 * used.Seconds() / window.Seconds(), Unit: "%"}, 0.2)
	b.atMost(figure{Part: "idle", What: "resident memory", Value: s.memory(t, "VmRSS"), Unit: "MiB"}, 25)
	b.note(figure{Part: "idle", What: "of which pages of the program's file", Value: s.memory(t, "RssFile"), Unit: "MiB"})
	b.note(figure{Part: "idle", What: "peak resident memory since the start", Value: s.memory(t, "VmHWM"), Unit: "MiB"})
}
