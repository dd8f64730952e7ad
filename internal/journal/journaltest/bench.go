package journaltest

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Bench measures uploads per second: a sighting, a claim, six outcomes and a
// ticket for each, that is nine durable transactions.
func Bench(b *testing.B, open Open) {
	f := newFixture(b, open)
	b.ResetTimer()
	for i := range b.N {
		name := fmt.Sprintf("flu_%d.csv", i)
		f.bring(name, digest(name), upload.StateRetired)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "uploads/s")
}

// BenchClaim measures a claim and its release while many uploads wait for later.
func BenchClaim(b *testing.B, open Open, waiting int) {
	f := newFixture(b, open)
	for i := range waiting {
		f.spot(fmt.Sprintf("flu_waiting_%d.csv", i))
	}
	for {
		u, found := f.claim()
		if !found {
			break
		}
		f.record(u, upload.Hold(2*time.Hour, upload.SpoolFull, ""), false)
	}
	f.spot("flu_due.csv")
	b.ResetTimer()
	for range b.N {
		u, found := f.claim()
		if !found {
			b.Fatal("nothing to claim")
		}
		if err := f.j.Release(f.ctx, u); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchList measures a page of fifty.
func BenchList(b *testing.B, open Open) {
	f := newFixture(b, open)
	for i := range 500 {
		f.spot(fmt.Sprintf("flu_%d.csv", i))
	}
	b.ResetTimer()
	for range b.N {
		p, err := f.j.List(f.ctx, journal.Filter{}, "", 50)
		if err != nil || len(p.Uploads) != 50 {
			b.Fatal(len(p.Uploads), err)
		}
	}
}

// BenchSideBySide is Bench for sixteen uploads at a time, whose changes share commits.
func BenchSideBySide(b *testing.B, open Open) {
	f := newFixture(b, open)
	b.SetParallelism(16 / runtime.GOMAXPROCS(0))
	var n atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			f.spot(fmt.Sprintf("flu_%d.csv", i))
			u, found := f.claim(upload.StateSpotted) // any, since others claim as well
			if !found {
				b.Errorf("upload %d: nothing to claim", i)
				return
			}
			f.advance(u, digest(u.Filename), upload.StateRetired)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "uploads/s")
}

// BenchHolder measures asking who delivers a content that nobody does.
func BenchHolder(b *testing.B, open Open) {
	f := newFixture(b, open)
	for i := range 100 {
		name := fmt.Sprintf("flu_%d.csv", i)
		f.bring(name, digest(name), upload.StateRetired)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, held, err := f.j.Holder(f.ctx, upload.Flu, digest("another"), "x"); held || err != nil {
			b.Fatal(held, err)
		}
	}
}
