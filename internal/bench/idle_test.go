package bench

import (
	"context"
	"testing"
	"time"
)

// idle measures both channels on, a few files done, and nothing to do. Memory is
// looked at every second: what is done now and then counts at its worst.
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
	all, own, file := s.resident(ctx, t, window)
	used := s.cpu(t) - before
	b.atMost(figure{Part: "idle", What: "processor time, both channels on", Value: 100 * used.Seconds() / window.Seconds(), Unit: "%"}, 0.2)
	b.atMost(figure{Part: "idle", What: "resident memory, at its most", Value: all.most, Unit: "MiB"}, 25)
	b.note(figure{Part: "idle", What: "resident memory, on average", Value: all.mean(), Unit: "MiB"})
	b.note(figure{Part: "idle", What: "of which its own, on average", Value: own.mean(), Unit: "MiB"})
	b.note(figure{Part: "idle", What: "of which pages of the program's file, on average", Value: file.mean(), Unit: "MiB"})
	b.note(figure{Part: "idle", What: "peak resident memory since the start", Value: s.memory(t, "VmHWM"), Unit: "MiB"})
}

// readings are what was read of one thing, one after the other.
type readings struct {
	most, sum float64
	n         int
}

func (r *readings) add(x float64) { r.most, r.sum, r.n = max(r.most, x), r.sum+x, r.n+1 }

func (r *readings) mean() float64 { return r.sum / float64(r.n) }

// resident reads the resident memory every second, in MiB: all of it, the
// process's own, and pages of files.
func (s *sidecar) resident(ctx context.Context, t *testing.T, window time.Duration) (all, own, file readings) {
	t.Helper()
	for range max(1, window/time.Second) {
		pause(ctx, t, time.Second)
		all.add(s.memory(t, "VmRSS"))
		own.add(s.memory(t, "RssAnon"))
		file.add(s.memory(t, "RssFile"))
	}
	return all, own, file
}
