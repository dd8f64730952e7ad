package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// BenchmarkRescan reads a directory of files that are all known.
func BenchmarkRescan(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o, _ := knowingAll(b, n)
			b.ReportAllocs()
			b.ResetTimer()
			before := spent(b)
			for b.Loop() {
				o.rescan(time.Now())
			}
			b.ReportMetric(float64(spent(b)-before)/float64(b.N), "cpu-ns/op") // what a busy machine tells less wrongly
			if o.pending.len() > 0 || len(o.known) != n {
				b.Fatalf("%d pending, %d known", o.pending.len(), len(o.known))
			}
		})
	}
}

// knowingAll gives the owner of a directory of n files, and its path. All are known,
// and no upload of any is open.
func knowingAll(tb testing.TB, n int) (*owner, string) {
	tb.Helper()
	path := tb.TempDir()
	for i := range n {
		if err := os.WriteFile(filepath.Join(path, numbered(i)), nil, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	dir, err := durable.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = dir.Close() })
	o := newOwner(New(Options{Channel: upload.Flu, Dir: From(dir), Kinds: kinds, Ledger: newFakeLedger(), NoEvents: true}))
	o.rescan(time.Now())
	for o.pending.len() > 0 {
		s := o.pending.pop()
		o.known[s.Filename] = &file{id: s.Seen}
	}
	return o, path
}

func numbered(i int) string { return fmt.Sprintf("flu_%08d.csv", i) }

func spent(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
