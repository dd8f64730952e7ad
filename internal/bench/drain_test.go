package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// drained is how many small files the drain figures are taken from.
const drained = 10_000

// commitsPerUpload is how many durable transactions the journal would need for
// one upload if none were shared: a sighting, a ticket and eight outcomes at most.
const commitsPerUpload = 10

// drain measures many small files from the first rename to the last original
// put away.
func (b *bench) drain(ctx context.Context, t *testing.T) {
	n, lanes := setting(t, "HQMS_BENCH_FILES", drained), setting(t, "HQMS_BENCH_LANES", 32)
	const sample = 1000
	before := spent(t)
	commit := commits(ctx, t, sample) / sample
	busy := (spent(t) - before) / sample
	b.note(figure{Part: "drain", What: "yardstick: one-row commits on the same disk", Value: 1 / commit.Seconds(), Unit: "/s"})
	rclone := b.byRclone(ctx, t, n, lanes)
	if rclone > 0 {
		b.note(figure{Part: "drain", What: fmt.Sprintf("yardstick: rclone copy, %d transfers, %d files to WebDAV on this machine", lanes, n), Value: float64(n) / rclone.Seconds(), Unit: "files/s"})
	}
	took, cpu := b.barely(ctx, t, n)
	b.note(figure{Part: "drain", What: fmt.Sprintf("yardstick: a bare program, %d lanes, %d durable changes a file, no checks", bareLanes, bareCommits), Value: float64(n) / took.Seconds(), Unit: "files/s"})
	b.note(figure{Part: "drain", What: "yardstick: processor time of the bare program per file", Value: ms(cpu) / float64(n), Unit: "ms"})
	for _, poll := range []string{"50ms", "2s"} {
		t.Run(poll, func(t *testing.T) {
			d := b.drainOnce(ctx, t, n, lanes, poll)
			what := fmt.Sprintf("%d files, %d lanes, POLL_MIN=%s", n, lanes, poll)
			b.atLeast(figure{
				Part: "drain", What: what, Value: float64(n) / d.took.Seconds(), Unit: "files/s",
				Ratio: float64(commit) * commitsPerUpload * float64(n) / float64(d.took), Yardstick: fmt.Sprintf("of %d bare commits per file", commitsPerUpload),
			}, 300)
			b.note(figure{Part: "drain", What: what + ", against the bare program", Value: float64(took) / float64(d.took), Unit: "×"})
			if rclone > 0 {
				b.atLeast(figure{Part: "drain", What: what + ", against rclone", Value: float64(rclone) / float64(d.took), Unit: "×"}, 2)
			}
			b.note(figure{
				Part: "drain", What: "CPU per file, POLL_MIN=" + poll, Value: ms(d.cpu) / float64(n), Unit: "ms",
				Ratio: float64(d.cpu) / float64(n) / float64(busy), Yardstick: "× that of a bare commit",
			})
			b.note(figure{Part: "drain", What: "CPU of the sandbox per file, POLL_MIN=" + poll, Value: ms(d.server) / float64(n), Unit: "ms"})
			b.note(figure{Part: "drain", What: "written per file, POLL_MIN=" + poll, Value: d.written / float64(n) / 1024, Unit: "KiB"})
			b.note(figure{Part: "drain", What: "peak resident memory, POLL_MIN=" + poll, Value: d.memory, Unit: "MiB"})
		})
	}
}

// drainage is what one drain took.
type drainage struct {
	took, cpu, server time.Duration
	written, memory   float64
}

func (b *bench) drainOnce(ctx context.Context, t *testing.T, n, lanes int, poll string) drainage {
	t.Helper()
	server := b.sandbox(ctx, t, "-step", "0s")
	s := b.sidecar(ctx, t, home(t), server, "CONCURRENCY="+strconv.Itoa(lanes), "POLL_MIN="+poll)
	for i := range n {
		must(t, os.WriteFile(filepath.Join(s.flu, fileName(i)+".tmp"), b.small(t, uint64(i)), 0o640))
	}
	s.ready(ctx, t)
	cpu, theirs, disk, began := s.cpu(t), cpuOf(t, b.server), s.written(t), time.Now()
	for i := range n {
		path := filepath.Join(s.flu, fileName(i))
		must(t, os.Rename(path+".tmp", path))
	}
	s.emptied(ctx, t)
	d := drainage{
		cpu: s.cpu(t) - cpu, server: cpuOf(t, b.server) - theirs,
		written: s.written(t) - disk, memory: s.memory(t, "VmHWM"),
	}
	for _, j := range journeys(ctx, t, s.follow(ctx, t), n) { // whose times are the journal's
		d.took = max(d.took, j["retired"].Sub(began))
	}
	return d
}

// emptied waits until no file is left in the directory. It takes a look at the first
// names now and then: whoever follows 80,000 events takes a tenth of the processors
// from what is measured.
func (s *sidecar) emptied(ctx context.Context, t *testing.T) {
	t.Helper()
	for left := true; left; pause(ctx, t, 50*time.Millisecond) {
		dir, err := os.Open(s.flu)
		must(t, err)
		names, err := dir.Readdirnames(16)
		must(t, errors.Join(errOrEnd(err), dir.Close()))
		left = slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "flu_") })
	}
}
