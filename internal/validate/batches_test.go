package validate

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// feed lets a file of a batch be read: it has the rows of have and refers to those of need.
func feed(b *Batches, batch string, id upload.ID, kind upload.Kind, have, need []uint64) {
	k := newKeys(upload.Upload{ID: id, BatchID: batch, Kind: kind})
	for _, key := range have {
		k.Have(kind, "P7502", key)
	}
	for i, key := range need {
		k.Need("flu", "P7502", key, int64(i+2), Ref{Rule: "LIS-FLU-LINK", Severity: upload.Warning, Column: "P7502"})
	}
	b.add(k)
}

func TestRowsWithoutTheirCounterpartAreMissedInWhateverOrderFilesCome(t *testing.T) {
	t.Parallel()
	flu := func(b *Batches) { feed(b, "x", "f", "flu", []uint64{1, 2}, nil) }
	lis := func(b *Batches) { feed(b, "x", "l", "lis", nil, []uint64{2, 3}) }
	for name, files := range map[string][]func(*Batches){"flu first": {flu, lis}, "lis first": {lis, flu}} {
		b := NewBatches(nil)
		for _, f := range files {
			f(b)
		}
		got := b.Missing("x")
		if len(got) != 1 || len(got["l"]) != 1 || got["l"][0].Row != 3 || got["l"][0].Rule != "LIS-FLU-LINK" {
			t.Errorf("%s: %+v, want row 3 of the lis file", name, got)
		}
		if again := b.Missing("x"); len(again) != 0 || b.keys != 0 {
			t.Errorf("%s: the batch is kept after it was compared: %v, %d keys", name, again, b.keys)
		}
	}
}

func TestFilesOfOtherBatchesAreNoCounterpart(t *testing.T) {
	t.Parallel()
	b := NewBatches(nil)
	feed(b, "x", "f", "flu", []uint64{1}, nil)
	feed(b, "y", "f2", "flu", []uint64{2}, nil)
	feed(b, "y", "l", "lis", nil, []uint64{1})
	if got := b.Missing("y"); len(got["l"]) != 1 {
		t.Errorf("got %+v, want the row that only another batch has", got)
	}
	feed(b, "z", "l2", "lis", nil, []uint64{1})
	if got := b.Missing("z"); len(got) != 0 {
		t.Errorf("a batch without the other kind misses nothing, got %+v", got)
	}
}

func TestBatchThatNeverCompletesIsForgotten(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := NewBatches(func() time.Time { return now })
	feed(b, "x", "l", "lis", nil, []uint64{1})
	now = now.Add(batchAge + time.Second)
	feed(b, "y", "l", "lis", nil, []uint64{1})
	if len(b.all) != 1 || b.keys != 1 {
		t.Errorf("%d batches, %d keys kept", len(b.all), b.keys)
	}
}

func TestBatchOfTooManyRowsIsNotComparedRatherThanWrongly(t *testing.T) {
	t.Parallel()
	b := NewBatches(nil)
	keys := make([]uint64, batchKeys+1)
	for i := range keys {
		keys[i] = uint64(i)
	}
	feed(b, "x", "f", "flu", keys, nil)
	feed(b, "x", "l", "lis", nil, []uint64{batchKeys})
	if b.keys > batchKeys {
		t.Errorf("%d keys kept", b.keys)
	}
	if got := b.Missing("x"); len(got) != 0 {
		t.Errorf("missed what the file has: %v", got)
	}
}

func TestFilesMayBeReadSideBySide(t *testing.T) {
	t.Parallel()
	b := NewBatches(nil)
	var all sync.WaitGroup
	for i := range uint64(20) {
		all.Go(func() {
			feed(b, "x", upload.ID(fmt.Sprint("f", i)), "flu", []uint64{i}, nil)
			feed(b, "x", upload.ID(fmt.Sprint("l", i)), "lis", nil, []uint64{i})
		})
	}
	all.Wait()
	if got := b.Missing("x"); len(got) != 0 {
		t.Errorf("missed what is there: %v", got)
	}
}
