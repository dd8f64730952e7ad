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

// BenchmarkRescan reads a directory of files that are all known; where events are
// trusted, it looks at some.
func BenchmarkRescan(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o, _ := knowingAll(b, n)
			rescans(b, o, n)
		})
		b.Run(fmt.Sprintf("%d, trusted", n), func(b *testing.B) {
			o, _ := trusting(b, n, looks, nil)
			rescans(b, o, n)
			b.ReportMetric(float64(o.status.Looked), "looks/op")
		})
	}
}

func rescans(b *testing.B, o *owner, n int) {
	b.Helper()
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
}

// knowingAll gives the owner of a directory of n files, and its path. All are known,
// and no upload of any is open. It hears of nothing.
func knowingAll(tb testing.TB, n int) (*owner, string) {
	tb.Helper()
	return knowing(tb, n, func(o *Options) { o.NoEvents = true })
}

// knowing is knowingAll with options.
func knowing(tb testing.TB, n int, change func(*Options)) (*owner, string) {
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
	opts := Options{Channel: upload.Flu, Dir: From(dir), Kinds: kinds, Ledger: newFakeLedger()}
	change(&opts)
	o := newOwner(New(opts))
	tb.Cleanup(o.disarm)
	o.rescan(time.Now())
	o.learn()
	return o, path
}

// learn makes known what is in line, as if the ledger knew it, and gives the names.
func (o *owner) learn() []string {
	var names []string
	for o.pending.len() > 0 {
		s := o.pending.pop()
		o.known[s.Filename] = &file{id: s.Seen}
		names = append(names, s.Filename)
	}
	return names
}

// trusting is knowing with events that are seen to come, and so many looks in a rescan.
// Of what happens afterwards nothing is heard, since nobody takes the events.
func trusting(tb testing.TB, n, looks int, wrap func(Directory) Directory) (*owner, string) {
	tb.Helper()
	o, path := knowing(tb, n, func(o *Options) {
		o.Looks = looks
		if wrap != nil {
			o.Dir = wrap(o.Dir)
		}
	})
	if !storageOf(path).local {
		tb.Skip("the temporary directory is on a file system that is not trusted")
	}
	o.passSelfTest(tb)
	return o, path
}

// passSelfTest takes events until the self-test has passed.
func (o *owner) passSelfTest(tb testing.TB) {
	tb.Helper()
	late := time.After(patience)
	for o.status.SelfTest != TestOK {
		select {
		case e := <-o.source.events:
			o.take(e)
			o.checkCanary(o.now())
		case <-late:
			tb.Fatalf("waited %v for the self-test", patience)
		}
	}
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
