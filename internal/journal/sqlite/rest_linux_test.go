package sqlite

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/libc"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// anonymous is the process's own resident memory in KiB, without what Go has freed.
func anonymous(t *testing.T) (kib int) {
	t.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}

func TestAtRestTheMemoryOfWorkIsGivenBackAndTheJournalGoesOn(t *testing.T) { //nolint:paralleltest // it is the whole process's memory
	j, err := Open(t.Context(), t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	ctx := t.Context()
	sighting := func(name string) upload.Sighting {
		return upload.Sighting{Channel: upload.Flu, Filename: name, At: time.Unix(1000, 0)}
	}
	if _, _, err := j.Spot(ctx, sighting("flu_1.csv")); err != nil {
		t.Fatal(err)
	}
	var long int
	const sorting = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 6000)
		SELECT length(group_concat(x)) FROM (SELECT hex(randomblob(300)) AS x FROM n ORDER BY x)`
	if err := j.DB().QueryRowContext(ctx, sorting).Scan(&long); err != nil || long < 3<<20 {
		t.Fatal(long, err)
	}
	before := anonymous(t)
	if err := j.Rest(ctx); err != nil {
		t.Fatal(err)
	}
	if after := anonymous(t); before-after < 2<<10 {
		t.Errorf("%d KiB before the rest and %d after it", before, after)
	}
	if _, _, err := j.Spot(ctx, sighting("flu_2.csv")); err != nil {
		t.Error(err)
	}
	if events, err := j.EventsAfter(ctx, 0, 10); err != nil || len(events) != 2 {
		t.Errorf("afterwards: %d events, %v", len(events), err)
	}
}

// Memory must not be taken from under whoever allocates: the lock is the library's own.
func TestWhileMemoryIsGivenBackNobodyAllocates(t *testing.T) { //nolint:paralleltest // it is the whole process's memory
	allocatorMu.Lock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		libc.MemStat() // takes the lock of the allocator
	}()
	defer func() { <-done }()
	defer allocatorMu.Unlock()
	for !waitsForTheAllocator() {
		select {
		case <-done:
			t.Fatal("the library has another lock")
		default:
			runtime.Gosched()
		}
	}
}

// waitsForTheAllocator reports whether a goroutine waits within libc.MemStat.
func waitsForTheAllocator() bool {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for g := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(g, "libc.MemStat") && strings.Contains(g, "[sync.Mutex.Lock") {
			return true
		}
	}
	return false
}

// Whoever asks while memory is given back is answered; without the allocator's lock the
// process dies within the first rounds.
func TestTheJournalWorksWhileMemoryIsGivenBack(t *testing.T) { //nolint:paralleltest // it is the whole process's memory
	j, err := Open(t.Context(), t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	ctx := t.Context()
	var working sync.WaitGroup
	stop := make(chan struct{})
	for worker := range 4 {
		working.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				s := upload.Sighting{Channel: upload.Flu, Filename: fmt.Sprintf("flu_%d_%d.csv", worker, i), At: time.Unix(1000, 0)}
				if _, _, err := j.Spot(ctx, s); err != nil {
					t.Error(err)
					return
				}
				if _, err := j.List(ctx, journal.Filter{}, "", 20); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 300 {
		if err := j.Rest(ctx); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	working.Wait()
}
