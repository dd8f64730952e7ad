package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// BenchmarkRescan reads a directory of files that are all known.
func BenchmarkRescan(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := b.TempDir()
			for i := range n {
				if err := os.WriteFile(filepath.Join(path, fmt.Sprintf("flu_%08d.csv", i)), nil, 0o600); err != nil {
					b.Fatal(err)
				}
			}
			dir, err := durable.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer dir.Close()
			o := newOwner(New(Options{Channel: upload.Flu, Dir: From(dir), Kinds: kinds, Ledger: newFakeLedger(), NoEvents: true}))
			o.rescan(time.Now())
			for o.pending.len() > 0 {
				s := o.pending.pop()
				o.known[s.Filename] = &file{id: s.Seen}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				o.rescan(time.Now())
			}
			if o.pending.len() > 0 || len(o.known) != n {
				b.Fatalf("%d pending, %d known", o.pending.len(), len(o.known))
			}
		})
	}
}
