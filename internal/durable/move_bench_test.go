package durable_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
)

// BenchmarkMoveInto puts one file after another away, each into a directory of its
// own.
func BenchmarkMoveInto(b *testing.B) {
	from, to := b.TempDir(), b.TempDir()
	src, err := durable.Open(from, durable.WithLazy())
	if err != nil {
		b.Fatal(err)
	}
	dst, err := durable.Open(to)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		if err := os.WriteFile(filepath.Join(from, "a"), nil, 0o600); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := durable.MoveInto(src, "a", dst, fmt.Sprintf("archive/flu/2026-11-30/%d/a", i)); err != nil {
			b.Fatal(err)
		}
	}
}
