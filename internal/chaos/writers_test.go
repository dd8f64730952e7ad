package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/exporter"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// between is the pause from one file to the next.
	between = 150 * time.Millisecond
	// pace is a slow writer's pause: much shorter than the quiet by which the
	// sidecar tells that a file is complete, also on a busy machine.
	pace = 15 * time.Millisecond
)

// written is one file that the exporter finished.
type written struct {
	channel upload.Channel
	name    string
	digest  string
	expect  upload.Verdict
	manner  exporter.Manner
	again   bool // its content was written before, under another name
}

// writers are the make-believe HIS.
type writers struct {
	t       *testing.T
	ground  *ground
	rng     *rand.Rand
	library *standard.Library

	mu   sync.Mutex
	all  []written
	good []content // of files that are to be accepted, to be written again
}

type content struct {
	channel upload.Channel
	kind    upload.Kind
	bytes   []byte
}

func newWriters(t *testing.T, g *ground, rng *rand.Rand) *writers {
	t.Helper()
	library, err := standard.Load(nil)
	g.must(err)
	return &writers{t: t, ground: g, rng: rng, library: library}
}

// write writes files for d.
func (w *writers) write(ctx context.Context, d time.Duration) {
	var writing sync.WaitGroup
	defer writing.Wait()
	tick := time.NewTicker(between)
	defer tick.Stop()
	for n := range int(d / between) {
		f := w.next(n)
		writing.Go(func() { w.put(ctx, f) })
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// another writes one file more than write does in d, of a content of its own.
func (w *writers) another(ctx context.Context, d time.Duration) {
	for n := int(d / between); ; n++ {
		if f := w.next(n); !f.again {
			w.put(ctx, f)
			return
		}
	}
}

// file is what will be written.
type file struct {
	written
	content
}

// next draws the n-th file.
func (w *writers) next(n int) file {
	kinds := []upload.Kind{"flu", "hqms", "hda", "hdr", "pdr", "lis"}
	f := file{content: content{channel: upload.Flu, kind: kinds[w.rng.IntN(len(kinds))]}}
	f.manner = []exporter.Manner{exporter.Renamed, exporter.Renamed, exporter.InOneGo, exporter.Slowly, exporter.Reopened}[w.rng.IntN(5)]
	f.expect = upload.Accepted
	ending := ""
	switch lot := w.rng.IntN(100); {
	case lot < 4:
		ending, f.expect = "_reject", upload.Rejected
	case lot < 8:
		ending, f.expect = "_partial", upload.PartiallyAccepted
	case lot < 13 && len(w.good) > 0:
		f.content, f.again = w.good[w.rng.IntN(len(w.good))], true
	case lot < 25:
		f.content.channel, f.kind = upload.HQMS, "hqms"
	}
	rows, charset := 2+w.rng.IntN(5), []string{"utf-8", "gb18030"}[w.rng.IntN(2)]
	if w.rng.IntN(40) == 0 {
		rows = 150 // larger than the buffers on the way
	}
	seed := w.rng.Uint64()
	if !f.again {
		f.bytes = w.synthesize(f.content, seed, rows, charset)
	}
	if f.expect == upload.Accepted && !f.again {
		w.good = append(w.good, f.content)
		w.good = w.good[max(0, len(w.good)-50):]
	}
	sum := sha256.Sum256(f.bytes)
	f.digest = "sha-256:" + hex.EncodeToString(sum[:])
	f.written.channel = f.content.channel
	f.name = fmt.Sprintf("%s_%06d%s.csv", f.kind, n, ending)
	return f
}

func (w *writers) synthesize(c content, seed uint64, rows int, charset string) []byte {
	o := synthetic.Options{Library: w.library, Channel: c.channel, Kind: c.kind, Rows: rows, Seed: seed, Charset: charset}
	if c.channel == upload.HQMS {
		o.Layout = "hqms-2020"
	}
	var b bytes.Buffer
	if err := synthetic.File(&b, o); err != nil {
		w.t.Errorf("make a file: %v", err)
	}
	return b.Bytes()
}

// put writes the file; what is finished is acknowledged.
func (w *writers) put(ctx context.Context, f file) {
	w.ground.writing.RLock()
	defer w.ground.writing.RUnlock()
	dir := w.ground.flu
	if f.written.channel == upload.HQMS {
		dir = w.ground.hqms
	}
	if err := exporter.Put(context.WithoutCancel(ctx), dir, f.name, f.bytes, f.manner, pace); err != nil {
		w.t.Errorf("write %s: %v", f.name, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, f.written)
}
