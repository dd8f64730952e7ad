package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/watch"
)

// scan measures rescans of directories whose files are all known, in this
// process; beside it, the bare reading of the directory and one look at each file.
func (b *bench) scan(ctx context.Context, t *testing.T) {
	most := setting(t, "HQMS_BENCH_ENTRIES", 100_000)
	var scans curve
	for n := most / 100; n <= most; n *= 10 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dir := filepath.Join(home(t), "flu")
			for i := range n {
				must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("flu_%08d.csv", i)), nil, 0o640))
			}
			bare := least(t, func() { look(t, dir) })
			took, held := rescan(ctx, t, dir, n)
			scans.add(n, took)
			f := figure{Part: "scan", What: fmt.Sprintf("%d known files, rescan", n), Value: ms(took), Unit: "ms", Ratio: float64(took) / float64(bare), Yardstick: "× one bare look at each file"}
			if n == 100_000 {
				b.atMost(f, 150)
			} else {
				b.note(f)
			}
			b.note(figure{Part: "scan", What: fmt.Sprintf("%d known files, memory held for each", n), Value: held / float64(n), Unit: "bytes"})
		})
	}
	b.note(figure{Part: "scan", What: "growth of a rescan", Value: scans.growth(), Unit: "×", Yardstick: scans.fit()})
}

// rescan gives the least time of five rescans, and the memory held.
func rescan(ctx context.Context, t *testing.T, path string, n int) (time.Duration, float64) {
	t.Helper()
	dir, err := durable.Open(path)
	must(t, err)
	defer dir.Close()
	before := heap()
	w := watch.New(watch.Options{
		Channel: upload.Flu, Dir: watch.From(dir), Ledger: knowing{}, Rescan: pauseOf(n), NoEvents: true,
		Kinds: func(name string) (upload.Kind, bool) { return "flu", strings.HasPrefix(name, "flu_") },
	})
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(running) }()
	defer func() { stop(); <-ended }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	best, seen, last := time.Duration(1<<63-1), 0, time.Time{}
	for seen < 6 {
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-tick.C:
		}
		s := w.Status()
		if s.Pending > 0 || s.Ours != n || s.LastScan.Equal(last) {
			continue
		}
		last = s.LastScan
		if seen++; seen > 1 { // the first may have been the one that found them
			best = min(best, s.LastScanTook)
		}
	}
	return best, heap() - before
}

// pauseOf lets the watch do more than to scan while it learns the files.
func pauseOf(n int) time.Duration { return time.Millisecond + time.Duration(n)*10*time.Microsecond }

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// knowing is a ledger that knows every file.
type knowing struct{}

// SpotAll implements watch.Ledger.
func (knowing) SpotAll(_ context.Context, all []upload.Sighting) []upload.Spotted {
	answers := make([]upload.Spotted, len(all))
	for i := range answers {
		answers[i].How = upload.Known
	}
	return answers
}

// Foretell implements watch.Ledger.
func (knowing) Foretell(context.Context, upload.Sighting) (upload.Upload, upload.Spotting, error) {
	return upload.Upload{}, upload.Known, nil
}

// least gives the least time of three.
func least(t *testing.T, do func()) time.Duration {
	t.Helper()
	best := time.Duration(1<<63 - 1)
	for range 3 {
		began := time.Now()
		do()
		best = min(best, time.Since(began))
	}
	return best
}

// look reads the directory and asks the kernel once about each file.
func look(t *testing.T, path string) {
	t.Helper()
	dir, err := os.Open(path)
	must(t, err)
	defer dir.Close()
	var st unix.Stat_t
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			must(t, unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW))
		}
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
	}
}
