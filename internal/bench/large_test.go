package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// large measures one large file end to end: how fast it passes, and how much
// memory the process ever held, which must not depend on the size.
func (b *bench) large(ctx context.Context, t *testing.T) {
	size := setting(t, "HQMS_BENCH_LARGE", 2000)
	flu, hqms := feed{"flu", "flu", "flu-2.6", 330}, feed{"hqms", "hqms", "hqms-2020", 2000}
	for _, c := range []struct {
		feed
		size int
	}{{flu, 10}, {flu, size / 10}, {flu, size}, {hqms, size}} {
		t.Run(fmt.Sprintf("%s/%d", c.layout, c.size), func(t *testing.T) { b.oneLarge(ctx, t, c.feed, c.size, c.size == size) })
	}
}

func (b *bench) oneLarge(ctx context.Context, t *testing.T, feed feed, size int, whole bool) {
	const most = "1099511627776" // more than the sandbox takes by default
	server, dir := b.sandbox(ctx, t, "-max-packed", most, "-max-unpacked", most), home(t)
	u := b.source(t, dir, feed, size)
	var piped time.Duration
	if whole {
		piped = b.piped(ctx, t, filepath.Join(dir, string(feed.channel), u.Filename))
	}
	s := b.sidecar(ctx, t, dir, server, "SETTLE=closed", "FLU_BLOCK_ON=never", "HQMS_BLOCK_ON=never")
	s.ready(ctx, t)
	before := s.memory(t, "VmRSS")
	j := journeys(ctx, t, s.follow(ctx, t), 1)[0]
	mb := float64(u.Source.Size) / 1e6
	what := fmt.Sprintf("%s, %.0f MB", feed.layout, mb)
	b.atMost(figure{
		Part: "large", What: what + ": peak resident memory", Value: s.memory(t, "VmHWM"), Unit: "MiB",
		Ratio: s.memory(t, "VmHWM") / before, Yardstick: "× just after the start",
	}, 64)
	if !whole {
		return
	}
	b.note(figure{Part: "large", What: what + ": check and pack", Value: mb / j["validated"].Sub(j["settled"]).Seconds(), Unit: "MB/s"})
	b.note(figure{Part: "large", What: what + ": sending the packed copy, of the source", Value: mb / j["sent"].Sub(j["packed"]).Seconds(), Unit: "MB/s"})
	b.note(figure{Part: "large", What: what + ": putting the original away", Value: mb / j["retired"].Sub(j["decided"]).Seconds(), Unit: "MB/s"})
	all := j["decided"].Sub(j["settled"])
	b.note(figure{Part: "large", What: what + ": complete → verdict", Value: mb / all.Seconds(), Unit: "MB/s", Ratio: piped.Seconds() / all.Seconds(), Yardstick: "× zstd -3 | curl, which checks and knows nothing"})
	b.note(figure{Part: "large", What: what + ": CPU for it all", Value: s.cpu(t).Seconds() * 1000 / mb, Unit: "ms/MB"})
}
