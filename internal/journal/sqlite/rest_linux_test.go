package sqlite

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

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
