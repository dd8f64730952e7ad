package validate

import (
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// batchKeys bounds the keys kept of all batches together: 2 MB of those that
	// files have, 11 of those that they refer to.
	batchKeys = 100_000
	// batchAge is when a batch that never completed is forgotten.
	batchAge = time.Hour
)

// Batches compares the files of each batch that the stage checks, side by side
// and in any order. Keys are kept in memory until the batch is complete: after a
// restart, or where replicas share a batch, its links are not checked. They are
// warnings; nothing depends on them. Safe for concurrent use.
type Batches struct {
	now func() time.Time

	mu   sync.Mutex
	all  map[string]*gathering
	keys int
}

type gathering struct {
	*Batch
	began time.Time
	files int
	keys  int
}

// NewBatches makes one; now may be nil.
func NewBatches(now func() time.Time) *Batches {
	if now == nil {
		now = time.Now
	}
	return &Batches{now: now, all: map[string]*gathering{}}
}

// keysOf gathers the keys of one file, by itself, until they are added.
type keysOf struct {
	u    upload.Upload
	have map[batchKey]struct{}
	need []batchNeed
	full bool // there were more
}

func newKeys(u upload.Upload) *keysOf {
	return &keysOf{u: u, have: map[batchKey]struct{}{}}
}

// Have implements Links.
func (k *keysOf) Have(kind upload.Kind, columns string, key uint64) {
	if k.full = k.full || len(k.have) >= batchKeys; !k.full {
		k.have[batchKeyOf(kind, columns, key)] = struct{}{}
	}
}

// Need implements Links.
func (k *keysOf) Need(to upload.Kind, columns string, key uint64, row int64, ref Ref) {
	if k.full = k.full || len(k.need) >= batchKeys; !k.full {
		k.need = append(k.need, batchNeed{string(k.u.ID), to, columns, batchKeyOf(to, columns, key), row, ref})
	}
}

// add puts a file's keys to those of its batch. A batch that grows too large is
// no longer compared.
func (b *Batches) add(k *keysOf) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetOld()
	g, ok := b.all[k.u.BatchID]
	if !ok {
		g = &gathering{Batch: NewBatch(0), began: b.now()}
		b.all[k.u.BatchID] = g
	}
	g.kinds[k.u.Kind] = true
	g.files++
	if g.full = g.full || k.full || b.keys+len(k.have)+len(k.need) > batchKeys; g.full {
		return
	}
	g.keys += len(k.have) + len(k.need)
	b.keys += len(k.have) + len(k.need)
	for key := range k.have {
		g.have[key] = struct{}{}
	}
	g.need = append(g.need, k.need...)
}

// Missing gives, by upload, what the files of a complete batch refer to in vain,
// and forgets the batch.
func (b *Batches) Missing(batchID string) map[upload.ID][]upload.Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	g, ok := b.all[batchID]
	if !ok {
		return nil
	}
	b.drop(batchID)
	byID := map[upload.ID][]upload.Finding{}
	if g.files > 1 {
		for id, found := range g.Missing() {
			byID[upload.ID(id)] = found
		}
	}
	return byID
}

func (b *Batches) forgetOld() {
	for id, g := range b.all {
		if b.now().Sub(g.began) > batchAge {
			b.drop(id)
		}
	}
}

func (b *Batches) drop(id string) {
	b.keys -= b.all[id].keys
	delete(b.all, id)
}
