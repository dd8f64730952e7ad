package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// BenchmarkRescan reads a directory of files that are all known.
func BenchmarkRescan(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := b.TempDir()
			for i := range n {
				if err := os.WriteFile(filepath.Join(path, fmt.Sprintf("flu_%08d.csv", i)), nil, 0o600); err != nil {
					b.Fatal(err)
				}
			}
			dir, err := durable.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer dir.Close()
			o := newOwner(New(Options{Channel: upload.Flu, Dir: From(dir), Kinds: kinds, Ledger: newFakeLedger(), NoEvents: true}))
			o.rescan(time.Now())
			for o.pending.len() > 0 {
				s := o.pending.pop()
				o.known[s.Filename] = &file{id: s.Seen}
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := spent(b)
			for b.Loop() {
				o.rescan(time.Now())
			}
			b.ReportMetric(float64(spent(b)-before)/float64(b.N), "cpu-ns/op") // what a busy machine tells less wrongly
			if o.pending.len() > 0 || len(o.known) != n {
				b.Fatalf("%d pending, %d known", o.pending.len(), len(o.known))
			}
		})
	}
}

func spent(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// Names of every length and type come whole out of the kernel's answer.
func TestEveryEntryOfALargeDirectoryIsVisitedOnce(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	want := map[string]fs.FileMode{}
	for i := range 5000 {
		name := fmt.Sprintf("flu_%0*d.csv", 1+i%200, i)
		want[name] = 0
		if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want["a"], want["流感_张.csv"] = fs.ModeDir, fs.ModeSymlink
	if err := errors.Join(os.Mkdir(filepath.Join(path, "a"), 0o700), os.Symlink("nowhere", filepath.Join(path, "流感_张.csv"))); err != nil {
		t.Fatal(err)
	}
	dir, err := durable.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for name, wanted := range map[string]func(string) bool{
		"none": nil, "all": func(string) bool { return true }, "some": func(name string) bool { return len(name)%2 == 0 },
	} {
		visitsAll(t, dir, name, wanted, want)
	}
}

func visitsAll(t *testing.T, dir *durable.Dir, name string, wanted func(string) bool, want map[string]fs.FileMode) {
	t.Helper()
	got := map[string]fs.FileMode{}
	err := From(dir).Each(wanted, func(e Entry) error {
		if _, twice := got[e.Name]; twice {
			t.Errorf("%s is visited twice", e.Name)
		}
		got[e.Name] = e.Type
		if id, err := e.Look(); (err == nil) != (e.Type == 0) || err == nil && id.Inode == 0 {
			t.Errorf("%s: %+v, %v", e.Name, id, err)
		}
		return nil
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%s wanted: %d entries, want %d; %v", name, len(got), len(want), err)
	}
}
