package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// drained is how many small files the drain figures are taken from.
const drained = 1000

// commitsPerUpload is how many durable transactions the journal needs for one
// upload: a sighting, four claims, a ticket and seven outcomes at most.
const commitsPerUpload = 10

// drain measures many small files from the first rename to the last original
// put away.
func (b *bench) drain(ctx context.Context, t *testing.T) {
	yard := commits(ctx, t, drained*commitsPerUpload)
	b.note(figure{Part: "drain", What: "yardstick: one-row commits on the same disk", Value: drained * commitsPerUpload / yard.Seconds(), Unit: "/s"})
	for _, poll := range []string{"50ms", "2s"} {
		t.Run(poll, func(t *testing.T) {
			server := b.sandbox(ctx, t)
			s := b.sidecar(ctx, t, home(t), server, "CONCURRENCY=8", "POLL_MIN="+poll)
			for i := range drained {
				must(t, os.WriteFile(filepath.Join(s.flu, fileName(i)+".tmp"), b.small(t, uint64(i)), 0o640))
			}
			s.ready(ctx, t)
			events := s.follow(ctx, t)
			cpu, disk, began := s.cpu(t), s.written(t), time.Now()
			for i := range drained {
				path := filepath.Join(s.flu, fileName(i))
				must(t, os.Rename(path+".tmp", path))
			}
			last := time.Time{}
			for _, j := range journeys(ctx, t, events, drained) {
				if at := j["retired"]; at.After(last) {
					last = at
				}
			}
			took := last.Sub(began)
			what := fmt.Sprintf("%d files, 8 lanes, POLL_MIN=%s", drained, poll)
			b.atLeast(figure{
				Part: "drain", What: what, Value: drained / took.Seconds(), Unit: "files/s",
				Ratio: yard.Seconds() / took.Seconds(), Yardstick: fmt.Sprintf("of %d bare commits per file", commitsPerUpload),
			}, 100)
			b.note(figure{Part: "drain", What: what + ": CPU per file", Value: ms(s.cpu(t)-cpu) / drained, Unit: "ms"})
			b.note(figure{Part: "drain", What: what + ": written per file", Value: (s.written(t) - disk) / drained / 1024, Unit: "KiB"})
			b.note(figure{Part: "drain", What: what + ": peak resident memory", Value: s.memory(t, "VmHWM"), Unit: "MiB"})
		})
	}
}
