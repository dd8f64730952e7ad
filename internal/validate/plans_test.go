package validate

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// neighbours are a file of one layout, and its neighbours: the same header with other
// rows, with a row twice, and headers that lack a column or have one twice.
func neighbours(t *testing.T, o synthetic.Options) [][]byte {
	t.Helper()
	var files [][]byte
	for seed := range uint64(3) {
		var b bytes.Buffer
		o.Seed, o.Rows, o.BadRows = seed, 6, int(seed)*2
		if err := synthetic.File(&b, o); err != nil {
			t.Fatal(err)
		}
		header, rows, _ := bytes.Cut(b.Bytes(), []byte("\n"))
		first, rest, _ := bytes.Cut(rows, []byte("\n"))
		_, others, _ := bytes.Cut(header, []byte(","))
		files = append(
			files, b.Bytes(),
			slices.Concat(header, []byte("\n"), rows, first, []byte("\n")),
			slices.Concat(others, []byte("\n"), rest),
			slices.Concat(header, []byte(","), others, []byte("\n"), rows),
		)
	}
	return files
}

func TestAPlanThatIsSharedFindsTheSame(t *testing.T) {
	t.Parallel()
	lib := library(t)
	for _, ch := range []upload.Channel{upload.Flu, upload.HQMS} {
		plans, wait := &Plans{}, sync.WaitGroup{}
		for _, l := range lib.Layouts(ch, "") {
			for _, charset := range []string{CharsetUTF8, CharsetGB18030} {
				files := neighbours(t, synthetic.Options{Library: lib, Channel: ch, Kind: l.Kind, Layout: l.Standard, Charset: charset})
				check := func(text []byte, p *Plans) (Report, map[batchKey]struct{}) {
					keys := newKeys(upload.Upload{})
					c := NewChecker(lib, ch, l.Kind, Options{Now: noon, Links: keys, Plans: p})
					_, _ = c.Write(text)
					return c.Close(), keys.have
				}
				wait.Go(func() {
					for i, text := range slices.Concat(files, files) {
						want, wantKeys := check(text, nil)
						got, gotKeys := check(text, plans)
						if diff := cmp.Diff(fmt.Sprint(want, wantKeys), fmt.Sprint(got, gotKeys)); diff != "" {
							t.Errorf("%s %s %s, file %d: %s", ch, l.Standard, l.Kind, i, diff)
						}
					}
				})
			}
		}
		wait.Wait()
	}
}

func TestOnlyAHeaderWithoutFindingsIsKept(t *testing.T) {
	t.Parallel()
	lib, l := library(t), library(t).Layouts(upload.Flu, "pdr")[0] // which has a column of unique values
	for i, text := range neighbours(t, synthetic.Options{Library: lib, Channel: upload.Flu, Kind: "pdr", Layout: l.Standard}) {
		p := &Plans{}
		c := NewChecker(lib, upload.Flu, "pdr", Options{Now: noon, Plans: p})
		_, _ = c.Write(text)
		_ = c.Close()
		if want := map[bool]int{true: 1}[i%4 < 2]; len(p.kept) != want {
			t.Errorf("file %d: %d headers are kept, want %d", i, len(p.kept), want)
		}
		for _, kept := range p.kept {
			if len(kept.plan.seen) == 0 || kept.plan.seen[0].young.used > 0 || kept.plan.opts.Links != nil {
				t.Errorf("file %d: the plan that is kept has been used: %v", i, kept.plan.seen)
			}
		}
	}
}

func TestSoManyHeadersAreKeptAtMost(t *testing.T) {
	t.Parallel()
	lib, text, p := library(t), smallFile(t), &Plans{}
	for i := range 3 * mostPlans {
		padded := append(bytes.Repeat([]byte(" "), i), '\n') // spaces around a name do no harm
		c := NewChecker(lib, upload.Flu, "flu", Options{Now: noon, Plans: p})
		_, _ = c.Write(bytes.Replace(text, []byte("\n"), padded, 1))
		_ = c.Close()
		if want := 1 + i%mostPlans; len(p.kept) != want {
			t.Fatalf("after %d headers %d are kept, want %d", i+1, len(p.kept), want)
		}
	}
}

// smallFile is of twenty rows, as feeds of single visits have them.
func smallFile(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	o := synthetic.Options{Library: library(tb), Channel: upload.Flu, Kind: "flu", Layout: "flu-2.6", Rows: 20, Charset: CharsetGB18030}
	if err := synthetic.File(&b, o); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// Not parallel: allocations are counted for the whole process.
func TestASmallFileLeavesLittleBehind(t *testing.T) { //nolint:paralleltest // see above
	lib, text, p := library(t), smallFile(t), &Plans{}
	pieces := testing.AllocsPerRun(100, func() {
		c := NewChecker(lib, upload.Flu, "flu", Options{Now: noon, Plans: p})
		_, _ = c.Write(text)
		_ = c.Close()
	})
	if pieces > 30 { // 220 where nothing is kept; race detectors drop some of what is
		t.Errorf("%.0f pieces of memory for each file", pieces)
	}
}

// BenchmarkSmallFile checks many small files of one kind.
func BenchmarkSmallFile(b *testing.B) {
	lib, text, p := library(b), smallFile(b), &Plans{}
	b.ReportAllocs()
	defer perCPU(b, len(text))()
	for b.Loop() {
		keys := newKeys(upload.Upload{})
		c := NewChecker(lib, upload.Flu, "flu", Options{Now: noon, Links: keys, Plans: p})
		_, _ = c.Write(text)
		if r := c.Close(); r.Rows != 20 {
			b.Fatal(r.Rows)
		}
	}
}
