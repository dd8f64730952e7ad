package demo

import (
	"context"
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/exporter"
)

// teller prints events as they come, and knows when every expected file has
// been put away.
type teller struct {
	d     *show
	began time.Time
	done  chan struct{}

	mu      sync.Mutex
	names   map[string]string // upload id → channel/file name
	retired map[string]bool   // channel/file names
	waiting map[string]bool   // likewise; nil until they are known
	closed  bool
}

func newTeller(d *show) *teller {
	return &teller{d: d, began: time.Now(), done: make(chan struct{}), names: map[string]string{}, retired: map[string]bool{}}
}

// hear takes one event; it always wants more.
func (t *teller) hear(e event) bool {
	name := t.name(e.UploadID)
	if e.At.Before(t.began.Add(-time.Second)) {
		return true // of an earlier export
	}
	line := fmt.Sprintf("%7.3fs  %-46s %s", e.At.Sub(t.began).Seconds(), name, e.To)
	if e.Verdict != "" && e.To == "decided" {
		line += "  → " + e.Verdict
	}
	if e.Reason != nil && (e.Name == "hold" || e.Name == "retry" || e.To == "decided") {
		line += "  （" + e.Reason.Zh + " / " + e.Reason.En + "）"
	}
	t.d.say("%s", line)
	if e.To == "retired" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.retired[name] = true
		t.look()
	}
	return true
}

// name asks for an upload's file name, once.
func (t *teller) name(id string) string {
	t.mu.Lock()
	name, ok := t.names[id]
	t.mu.Unlock()
	if ok {
		return name
	}
	var r row
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if t.d.client.read(ctx, "/uploads/"+id, &r) != nil {
		return id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names[id] = r.Channel + "/" + r.Filename
	return t.names[id]
}

// expect says which files have to be put away before it is over.
func (t *teller) expect(written []exporter.Written) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = map[string]bool{}
	for _, w := range written {
		t.waiting[string(w.Channel)+"/"+w.Filename] = true
	}
	t.look()
}

func (t *teller) look() {
	if t.waiting == nil || t.closed {
		return
	}
	for name := range t.waiting {
		if !t.retired[name] {
			return
		}
	}
	t.closed = true
	close(t.done)
}

// table prints what became of every file, and fails if one did not come to the
// verdict it was made for.
func (d *show) table(rows []row, written []exporter.Written) error {
	byName := map[string]row{}
	for _, r := range rows {
		byName[r.Channel+"/"+r.Filename] = r
	}
	d.say("")
	w := tabwriter.NewWriter(d.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "file\tchannel\tkind\tcharset\twritten\trows\tbytes\tpacked\tstored\tverdict\toriginal\ttook\t")
	wrong := 0
	for _, x := range written {
		r := byName[string(x.Channel)+"/"+x.Filename]
		mark := ""
		if r.Verdict != string(x.Expect) {
			mark = "✗ expected " + string(x.Expect)
			wrong++
		}
		stored := "-"
		if r.Receipt != nil && r.Receipt.Grades != nil {
			stored = fmt.Sprintf("%d/%d", r.Receipt.Grades.Stocked, r.Receipt.Grades.Total)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%.1fs\t%s\n", x.Filename, r.Channel, r.Kind, r.Charset, x.Manner,
			r.Rows, r.Size, r.PackedSize, stored, r.Verdict, r.Place, r.FinishedAt.Sub(r.SpottedAt).Seconds(), mark)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d files did not come to the verdict they were made for", wrong, len(written))
	}
	d.say("\n%d 个文件全部到达预期结果 / all %d files came to the verdict they were made for", len(written), len(written))
	return nil
}
