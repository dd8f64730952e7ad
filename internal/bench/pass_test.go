package bench

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
)

// passed is about how many megabytes the pass over a source is measured on.
const passed = 96

// pass measures the one reading of a source in this process, against packing
// alone and against what the standard library would do; by the clock, since
// packing and checking overlap, and in processor time, which says more while
// the machine is shared.
func (b *bench) pass(ctx context.Context, t *testing.T) {
	for _, feed := range []feed{
		{"flu", "flu", "flu-2.6", 330},
		{"hqms", "hqms", "hqms-2020", 2000},
	} {
		t.Run(feed.layout, func(t *testing.T) {
			dir := home(t)
			u := b.source(t, dir, feed, setting(t, "HQMS_BENCH_PASS", passed))
			w := workshop{t: t, dir: dir, u: u}
			whole := w.best(func() { w.validate(ctx, b, true) })
			check := w.best(func() { w.validate(ctx, b, false) })
			alone := w.best(func() { w.pack(ctx) })
			read := w.best(w.read)
			plain := w.best(func() { w.zip(); w.read() })
			rate := func(d time.Duration) float64 { return float64(u.Source.Size) / 1e6 / d.Seconds() }
			b.note(figure{Part: "pass", What: feed.layout + ", GB18030: digest + check + pack", Value: rate(whole.wall), Unit: "MB/s"})
			b.atLeast(figure{Part: "pass", What: feed.layout + ": the same, in terms of packing alone", Value: rate(whole.wall) / rate(alone.wall), Unit: "×", Yardstick: fmt.Sprintf("× packing alone, %s MB/s", short(rate(alone.wall)))}, 0.9)
			b.atLeast(figure{Part: "pass", What: feed.layout + ": the same, in terms of the standard library", Value: rate(whole.wall) / rate(plain.wall), Unit: "×", Yardstick: fmt.Sprintf("× encoding/csv over x/text, then archive/zip and SHA-256, %s MB/s", short(rate(plain.wall)))}, 3)
			b.note(figure{Part: "pass", What: feed.layout + ": digest + check, nothing packed", Value: rate(check.wall), Unit: "MB/s", Ratio: rate(check.wall) / rate(read.wall), Yardstick: "× encoding/csv over x/text, which checks nothing"})
			b.note(figure{Part: "pass", What: feed.layout + ": the same, in processor time", Value: rate(whole.cpu), Unit: "MB/CPU-s", Ratio: rate(whole.cpu) / rate(alone.cpu), Yardstick: "× packing alone"})
		})
	}
}

// feed is a kind of file and about how long its rows are.
type feed struct {
	channel upload.Channel
	kind    upload.Kind
	layout  string
	row     int
}

// source makes a file of about n megabytes in the channel's watched directory,
// under a name that is not taken notice of, and renames it. Beyond the first
// hundred the same rows come again, which makes it in a fraction of the time.
func (b *bench) source(t *testing.T, dir string, f feed, n int) upload.Upload {
	t.Helper()
	return b.sourceAs(t, dir, f, n, string(f.kind)+"_large.csv")
}

// sourceAs is source under another name.
func (b *bench) sourceAs(t *testing.T, dir string, f feed, n int, name string) upload.Upload {
	t.Helper()
	path := filepath.Join(dir, string(f.channel), name)
	file, err := os.Create(path + ".tmp")
	must(t, err)
	out := bufio.NewWriterSize(file, 1<<20)
	must(t, synthetic.File(out, synthetic.Options{
		Library: b.standards, Channel: f.channel, Kind: f.kind, Layout: f.layout, Rows: min(n, 100) * 1e6 / f.row, Charset: "gb18030", Seed: uint64(n),
	}))
	must(t, out.Flush())
	repeat(t, file, int64(n)*1e6)
	must(t, file.Sync())
	must(t, file.Close())
	must(t, os.Rename(path+".tmp", path))
	d, err := durable.Open(filepath.Dir(path))
	must(t, err)
	defer d.Close()
	id, err := d.Look(name)
	must(t, err)
	return upload.Upload{ID: upload.NewID(time.Now()), Channel: f.channel, Kind: f.kind, Filename: name, Source: id, State: upload.StateSettled}
}

// repeat writes the rows of the file again behind it until it has a size.
func repeat(t *testing.T, file *os.File, size int64) {
	t.Helper()
	block, err := file.Seek(0, io.SeekEnd)
	must(t, err)
	first := make([]byte, 64<<10)
	n, err := file.ReadAt(first, 0)
	must(t, errOrEnd(err))
	header := int64(bytes.IndexByte(first[:n], '\n') + 1)
	for have := block; have+block-header <= size; have += block - header {
		_, err := io.Copy(file, io.NewSectionReader(file, header, block-header))
		must(t, err)
	}
}

func errOrEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// workshop does the work of a pass in several ways.
type workshop struct {
	t   *testing.T
	dir string
	u   upload.Upload
}

// cost is what a way of doing it took.
type cost struct{ wall, cpu time.Duration }

// best gives the least of three, each for itself.
func (w workshop) best(do func()) cost {
	least := cost{1<<63 - 1, 1<<63 - 1}
	for range 3 {
		before, began := spent(w.t), time.Now()
		do()
		least = cost{min(least.wall, time.Since(began)), min(least.cpu, spent(w.t)-before)}
	}
	return least
}

func spent(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func (w workshop) stage() (s *pack.Stage, closing func()) {
	spool, err := durable.Open(filepath.Join(w.dir, "state"))
	must(w.t, err)
	return pack.New(pack.Options{Spool: spool}), func() { _ = spool.Close() }
}

func (w workshop) pack(ctx context.Context) {
	s, closing := w.stage()
	defer closing()
	p, err := s.Begin(ctx, w.u)
	must(w.t, err)
	w.copy(p)
	_, _, err = p.Finish()
	must(w.t, err)
	p.Abort()
}

func (w workshop) validate(ctx context.Context, b *bench, packing bool) {
	s, closing := w.stage()
	defer closing()
	var to validate.Packer = nowhere{}
	if packing {
		to = packer{s}
	}
	d, err := durable.Open(filepath.Join(w.dir, string(w.u.Channel)))
	must(w.t, err)
	defer d.Close()
	o, err := validate.New(validate.StageOptions{
		Library: b.standards, Sources: map[upload.Channel]validate.Source{w.u.Channel: validate.DirSource{Dir: d}}, Packer: to,
	}).Run(ctx, w.u)
	must(w.t, err)
	if o.Name() != "validated" {
		w.t.Fatal(o.Name())
	}
	must(w.t, s.Remove(w.u))
}

type packer struct{ *pack.Stage }

// Begin implements validate.Packer.
func (p packer) Begin(ctx context.Context, u upload.Upload) (validate.Packing, error) {
	return p.Stage.Begin(ctx, u)
}

// nowhere packs nothing.
type nowhere struct{}

// Begin implements validate.Packer.
func (nowhere) Begin(context.Context, upload.Upload) (validate.Packing, error) { return nowhere{}, nil }

// Write implements validate.Packing.
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// Finish implements validate.Packing.
func (nowhere) Finish() (int64, string, error) { return 1, "sha-256:" + strings.Repeat("0", 64), nil }

// Abort implements validate.Packing.
func (nowhere) Abort() {}

// zip is what one would write without this product: the same bytes, the same
// level, both digests, and an fsync.
func (w workshop) zip() {
	name := filepath.Join(w.dir, "state", "plain.zip")
	f, err := os.Create(name)
	must(w.t, err)
	z := zip.NewWriter(io.MultiWriter(f, sha256.New()))
	entry, err := z.Create(w.u.Filename)
	must(w.t, err)
	w.copy(entry)
	must(w.t, z.Close())
	must(w.t, f.Sync())
	must(w.t, f.Close())
	must(w.t, os.Remove(name))
}

// read is what one would write to look at every cell of a source.
func (w workshop) read() {
	in, err := os.Open(filepath.Join(w.dir, string(w.u.Channel), w.u.Filename))
	must(w.t, err)
	defer in.Close()
	r := csv.NewReader(simplifiedchinese.GB18030.NewDecoder().Reader(in))
	r.ReuseRecord, r.FieldsPerRecord, r.LazyQuotes = true, -1, true
	for err == nil {
		_, err = r.Read()
	}
	must(w.t, errOrEnd(err))
}

// copy reads the source into out and a digest.
func (w workshop) copy(out io.Writer) {
	in, err := os.Open(filepath.Join(w.dir, string(w.u.Channel), w.u.Filename))
	must(w.t, err)
	defer in.Close()
	_, err = io.CopyBuffer(io.MultiWriter(out, sha256.New()), struct{ io.Reader }{in}, make([]byte, 128<<10))
	must(w.t, err)
}
