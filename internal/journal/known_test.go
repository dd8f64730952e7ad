package journal

import (
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Known lists the rows that are known, with their fences (in Fence), and whether
// they are under a lease.
func (j *Journal) Known() map[upload.Upload]bool {
	all := map[upload.Upload]bool{}
	j.commits.lead <- struct{}{}
	defer func() { <-j.commits.lead }()
	for _, r := range j.commits.known.rows {
		r.Fence = r.fence
		all[r.Upload] = r.leased
	}
	return all
}

func TestWhatATransactionKnewOfRowsComesIntoForceWithIt(t *testing.T) {
	t.Parallel()
	row := func(id upload.ID, path string) held { return held{Upload: upload.Upload{ID: id, Path: path}} }
	for name, c := range map[string]struct {
		do        func(k *knowing)
		committed bool
		want      map[upload.ID]string
	}{
		"nothing done":                {func(*knowing) {}, true, map[upload.ID]string{"a": "old", "b": "old"}},
		"nothing done, failed":        {func(*knowing) {}, false, nil},
		"changed, nobody says how":    {func(k *knowing) { k.changes("a") }, true, map[upload.ID]string{"b": "old"}},
		"changed, somebody says how":  {func(k *knowing) { k.changes("a"); k.reads(row("a", "new")) }, true, map[upload.ID]string{"a": "new", "b": "old"}},
		"said, and changed after":     {func(k *knowing) { k.reads(row("a", "new")); k.changes("a") }, true, map[upload.ID]string{"b": "old"}},
		"said, and failed":            {func(k *knowing) { k.reads(row("a", "new")) }, false, nil},
		"any changed":                 {func(k *knowing) { k.changesAny() }, true, nil},
		"any changed, one said after": {func(k *knowing) { k.changesAny(); k.reads(row("a", "new")) }, true, map[upload.ID]string{"a": "new"}},
		"one said, any changed after": {func(k *knowing) { k.reads(row("a", "new")); k.changesAny() }, true, nil},
		"another one":                 {func(k *knowing) { k.reads(row("c", "new")) }, true, map[upload.ID]string{"a": "old", "b": "old", "c": "new"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := &known{rows: map[upload.ID]held{"a": row("a", "old"), "b": row("b", "old")}}
			k := all.begin()
			c.do(k)
			for _, id := range []upload.ID{"a", "b", "c"} { // within
				if r, ok := k.row(id); c.committed && (ok != (c.want[id] != "") || r.Path != c.want[id]) {
					t.Errorf("%s within the transaction: %v %q, want %q", id, ok, r.Path, c.want[id])
				}
			}
			k.end(c.committed)
			k = all.begin()
			for _, id := range []upload.ID{"a", "b", "c"} { // after
				if r, ok := k.row(id); ok != (c.want[id] != "") || r.Path != c.want[id] {
					t.Errorf("%s after the transaction: %v %q, want %q", id, ok, r.Path, c.want[id])
				}
			}
		})
	}
}

func TestNoMoreRowsAreKnownThanAFew(t *testing.T) {
	t.Parallel()
	all := &known{rows: map[upload.ID]held{}}
	for range 3 * mostKnown {
		k := all.begin()
		k.reads(held{Upload: upload.Upload{ID: upload.NewID(time.Now())}})
		k.end(true)
		if len(all.rows) > mostKnown {
			t.Fatalf("%d rows known", len(all.rows))
		}
	}
}

func TestWhereJournalsAreSharedNothingIsKnown(t *testing.T) {
	t.Parallel()
	k := (*known)(nil).begin()
	k.reads(held{Upload: upload.Upload{ID: "a"}})
	if _, ok := k.row("a"); ok {
		t.Error("known")
	}
	k.end(true)
}
