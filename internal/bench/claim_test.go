package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
)

// claimed is how many files each claim figure is taken from: enough that ten are
// slower than the 99th percentile. Those that have a quiet period to wait for are a
// tenth as many, and bear no target.
const claimed = 1000

// quiet is the quiet period of the figure that is about it.
const quiet = 200 * time.Millisecond

// claim measures from the moment a file is complete to the moment the sidecar says
// that it is taken (settled), which it does after that is durable, one file at a time.
func (b *bench) claim(ctx context.Context, t *testing.T) {
	fsync, most := commits(ctx, t, 200)/200, setting(t, "HQMS_BENCH_CLAIMS", claimed)
	for _, way := range []struct {
		name   string
		settle string
		after  time.Duration // that has to pass in any case
		put    func(t *testing.T, dir, name string, text []byte) time.Time
	}{
		{"rename into place", "auto", 0, rename},
		{"rename into place, SETTLE=closed", "closed", 0, rename},
		{"close, SETTLE=closed", "closed", 0, closing},
		{"end of QUIET_PERIOD=200ms, SETTLE=quiet", "quiet", quiet, closing},
	} {
		t.Run(way.name, func(t *testing.T) {
			s := b.sidecar(ctx, t, home(t), b.sandbox(ctx, t), "LOG_LEVEL=info", "SETTLE="+way.settle, "POLL_MIN=20ms", "QUIET_PERIOD="+quiet.String())
			s.ready(ctx, t)
			events := s.follow(ctx, t)
			n := most
			if way.after > 0 {
				n = max(10, most/10)
			}
			var spotted, settled []time.Duration
			for i := range n {
				moment := way.put(t, s.flu, fileName(i), b.small(t, uint64(i))).Add(way.after)
				j := journeys(ctx, t, events, 1)[0]
				spotted, settled = append(spotted, j["spotted"].Sub(moment)), append(settled, s.took(t, fileName(i)).Sub(moment))
			}
			t.Logf("%s: the slowest are %s", way.name, slowest(settled))
			if way.after == 0 { // else it is spotted long before
				b.note(figure{Part: "claim", What: way.name + " → spotted, p50", Value: ms(quantile(spotted, 0.5)), Unit: "ms"})
			}
			b.note(figure{
				Part: "claim", What: way.name + " → settled, p50", Value: ms(quantile(settled, 0.5)), Unit: "ms",
				Ratio: float64(quantile(settled, 0.5)) / float64(fsync), Yardstick: "× a durable commit",
			})
			late := figure{Part: "claim", What: way.name + " → settled, p99", Value: ms(quantile(settled, 0.99)), Unit: "ms"}
			if way.after > 0 {
				b.note(late) // a file system's times may be 10 ms old
			} else {
				b.atMost(late, 10)
			}
			b.note(figure{Part: "claim", What: fmt.Sprintf("%s → settled, the slowest of %d", way.name, n), Value: ms(quantile(settled, 1)), Unit: "ms"})
		})
	}
}

// took is when the sidecar said that it has taken the file.
func (s *sidecar) took(t *testing.T, name string) time.Time {
	t.Helper()
	var line struct {
		Time            time.Time
		State, Filename string
	}
	process.Eventually(t, process.Patience, "the log says that "+name+" has settled", func() bool {
		for text := range strings.Lines(s.out.String()) {
			if strings.Contains(text, name) && json.Unmarshal([]byte(text), &line) == nil && line.State == "settled" && line.Filename == name {
				return true
			}
		}
		return false
	})
	return line.Time
}

// slowest lists the five slowest, and which of all they were.
func slowest(all []time.Duration) string {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(all[b], all[a]) })
	var s []string
	for _, i := range order[:min(5, len(order))] {
		s = append(s, fmt.Sprintf("no. %d: %.1f ms", i+1, ms(all[i])))
	}
	return strings.Join(s, ", ")
}

// small makes a file of a few rows, another for each seed.
func (b *bench) small(t *testing.T, seed uint64) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, synthetic.File(&out, synthetic.Options{Library: b.standards, Channel: "flu", Kind: "flu", Rows: 20, Seed: seed + 1, Charset: "gb18030"}))
	return out.Bytes()
}

// rename writes beside and renames into place.
func rename(t *testing.T, dir, name string, text []byte) time.Time {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path+".tmp", text, 0o640))
	moment := time.Now()
	must(t, os.Rename(path+".tmp", path))
	return moment
}

// closing writes in place.
func closing(t *testing.T, dir, name string, text []byte) time.Time {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, name))
	must(t, err)
	_, err = f.Write(text)
	must(t, err)
	moment := time.Now()
	must(t, f.Close())
	return moment
}
