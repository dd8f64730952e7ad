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
// process: ordinary ones, where events are seen to come and a share of the files is
// looked at, and such as look at all; beside them, the bare reading of the directory
// and one look at each file.
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
			row := func(what string, took time.Duration) figure {
				return figure{Part: "scan", What: fmt.Sprintf("%d known files, %s", n, what), Value: ms(took), Unit: "ms", Ratio: float64(took) / float64(bare), Yardstick: "× one bare look at each file"}
			}
			ordinary := rescan(ctx, t, dir, n, true)
			whole := rescan(ctx, t, dir, n, false)
			scans.add(n, ordinary.took)
			if n == 100_000 {
				b.atMost(row("rescan", ordinary.took), 150)
			} else {
				b.note(row("rescan", ordinary.took))
			}
			b.note(figure{Part: "scan", What: fmt.Sprintf("%d known files, looked at in it", n), Value: float64(ordinary.looked), Unit: "files"})
			b.note(row("rescan that looks at all, without events", whole.took))
			b.note(figure{Part: "scan", What: fmt.Sprintf("%d known files, memory held for each", n), Value: whole.held / float64(n), Unit: "bytes"})
		})
	}
	b.note(figure{Part: "scan", What: "growth of a rescan", Value: scans.growth(), Unit: "×", Yardstick: scans.fit()})
}

// rescanned is how rescans went.
type rescanned struct {
	took   time.Duration // the least of five
	looked int           // files that were looked at, on average
	held   float64       // memory
}

// rescan measures the rescans of a watch that knows all files, and with events those
// of one that has seen whether events come.
func rescan(ctx context.Context, t *testing.T, path string, n int, events bool) rescanned {
	t.Helper()
	dir, err := durable.Open(path)
	must(t, err)
	defer dir.Close()
	before := heap()
	w := watch.New(watch.Options{
		Channel: upload.Flu, Dir: watch.From(dir), Ledger: knowing{}, Rescan: pauseOf(n), NoEvents: !events,
		Kinds: func(name string) (upload.Kind, bool) { return "flu", strings.HasPrefix(name, "flu_") },
	})
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(running) }()
	defer func() { stop(); <-ended }()
	got := fiveRescans(ctx, t, func() (watch.Status, bool) {
		s := w.Status()
		tested := s.SelfTest != watch.TestNone && s.SelfTest != watch.TestPending
		return s, s.Pending == 0 && s.Ours == n && (tested || !events)
	})
	got.held = heap() - before
	return got
}

// fiveRescans waits until all is as it should be, and then for five rescans.
func fiveRescans(ctx context.Context, t *testing.T, status func() (s watch.Status, ready bool)) rescanned {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	got, last := rescanned{took: 1<<63 - 1}, time.Time{}
	for seen := 0; seen < 6; {
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-tick.C:
		}
		s, ready := status()
		if !ready || s.LastScan.Equal(last) {
			continue
		}
		last = s.LastScan
		if seen++; seen > 1 { // the first may have been the one that found them
			got.took = min(got.took, s.LastScanTook)
			got.looked += s.Looked / 5
		}
	}
	return got
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
