package watch

import (
	"runtime"
	"testing"
	"time"
)

// A rescan of what is known makes one small piece of garbage for each look, and
// some for each of the kernel's answers, but none for a name alone. Not parallel: it
// counts all that is made.
func TestRescanMakesLittleGarbage(t *testing.T) {
	const n = 5000
	o, _ := knowingAll(t, n)
	littleGarbage(t, o, n, n)
	o, _ = trusting(t, n, 100, nil)
	littleGarbage(t, o, n, n/rounds*2)
}

// littleGarbage rescans n files, with so many looks at most.
func littleGarbage(t *testing.T, o *owner, n, looks uint64) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	o.rescan(time.Now())
	runtime.ReadMemStats(&after)
	pieces, bytes := after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	lookers := min(mostLookers, uint64(runtime.GOMAXPROCS(0)))
	if most, mostBytes := looks+n/10+lookers*50, 80*n+lookers*5*readAtOnce; pieces > most || bytes > mostBytes {
		t.Errorf("%d pieces, %d bytes; at most %d, %d", pieces, bytes, most, mostBytes)
	}
}
