package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
	"weak"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// variety makes a directory of thousands of names of every length, many of the
// kernel's answers long, and says what is in it.
func variety(t *testing.T) (Directory, map[string]fs.FileMode) {
	t.Helper()
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
	t.Cleanup(func() { _ = dir.Close() })
	return From(dir), want
}

// gathered is what was met of a directory.
type gathered struct {
	mu  sync.Mutex
	met map[string]fs.FileMode
}

// take looks at an entry and notes it.
func (g *gathered) take(t *testing.T, e Entry) {
	t.Helper()
	if id, err := e.Look(); (err == nil) != (e.Type == 0) || err == nil && id.Inode == 0 {
		t.Errorf("%s: %+v, %v", e.Name, id, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, twice := g.met[e.Name]; twice {
		t.Errorf("%s is met twice", e.Name)
	}
	if g.met == nil {
		g.met = map[string]fs.FileMode{}
	}
	g.met[strings.Clone(e.Name)] = e.Type
}

// Names of every length and type come whole out of the kernel's answers, to the sift
// and, if that leaves them, to the visit.
func TestEveryEntryOfALargeDirectoryIsMetOnce(t *testing.T) {
	t.Parallel()
	dir, want := variety(t)
	for name, leaves := range map[string]func(name string) bool{
		"not sifted": nil, "all left": func(string) bool { return true }, "none left": func(string) bool { return false },
		"some left": func(name string) bool { return len(name)%2 == 0 },
	} {
		var sifted, visited gathered
		var sift func([]Entry) []Entry
		left := maps.Clone(want)
		if leaves != nil {
			sift = func(all []Entry) []Entry {
				for _, e := range all {
					sifted.take(t, e)
				}
				return slices.DeleteFunc(all, func(e Entry) bool { return !leaves(e.Name) })
			}
			maps.DeleteFunc(left, func(name string, _ fs.FileMode) bool { return !leaves(name) })
		}
		err := dir.Each(sift, func(e Entry) error { visited.take(t, e); return nil })
		if err != nil || !maps.Equal(visited.met, left) {
			t.Errorf("%s: %d visited, want %d; %v", name, len(visited.met), len(left), err)
		}
		if sift != nil && !maps.Equal(sifted.met, want) {
			t.Errorf("%s: %d sifted, want %d", name, len(sifted.met), len(want))
		}
	}
}

func TestVisitsEndWithTheFirstError(t *testing.T) {
	t.Parallel()
	dir, _ := variety(t)
	visits := 0
	err := dir.Each(nil, func(Entry) error {
		if visits++; visits == 3 {
			return errAway
		}
		return nil
	})
	if visits != 3 || !errors.Is(err, errAway) {
		t.Errorf("%d visits, %v", visits, err)
	}
}

// A name that is kept must not keep all others that the kernel gave with it.
func TestNamesThatAreKeptHoldNoOthers(t *testing.T) {
	t.Parallel()
	dir, _ := variety(t)
	var mu sync.Mutex
	var texts []weak.Pointer[byte] // where the sifts' names were
	var names []string
	err := dir.Each(func(all []Entry) []Entry {
		mu.Lock()
		defer mu.Unlock()
		texts = append(texts, weak.Make(unsafe.StringData(all[0].Name)))
		return all
	}, func(e Entry) error {
		names = append(names, e.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	held := 0
	for _, text := range texts {
		if text.Value() != nil {
			held++
		}
	}
	if held > 0 || len(texts) < 10 {
		t.Errorf("of %d texts %d are held by %d names", len(texts), held, len(names))
	}
	runtime.KeepAlive(names)
}

// In a directory of many of the kernel's answers, what has changed is noticed, and
// nothing else.
func TestRescanOfALargeDirectoryNoticesWhatChanged(t *testing.T) {
	t.Parallel()
	const n = 5000
	o, path := knowingAll(t, n)
	at := func(i int) string { return filepath.Join(path, numbered(i)) }
	err := errors.Join(
		os.WriteFile(at(10), []byte("changed"), 0o600),
		os.Rename(at(2020), at(3030)), // one is gone, one replaced
		os.Remove(at(4040)),
		os.Remove(at(4990)), os.Mkdir(at(4990), 0o700),
		os.WriteFile(at(n), nil, 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	o.rescan(time.Now())
	var told []string
	for o.pending.len() > 0 {
		told = append(told, o.pending.pop().Filename)
	}
	slices.Sort(told)
	if diff := gocmp.Diff([]string{numbered(10), numbered(3030), numbered(n)}, told); diff != "" {
		t.Errorf("in line (-want +got):\n%s", diff)
	}
	for _, i := range []int{2020, 4040, 4990} {
		if o.known[numbered(i)] != nil {
			t.Errorf("%d is still known", i)
		}
	}
	if len(o.known) != n-3 {
		t.Errorf("%d are known", len(o.known))
	}
	if diff := gocmp.Diff(Counts{Ours: n - 2, Unfit: 1}, o.status.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// Files of open uploads are asked about again, so many in one rescan; the others
// stay known.
func TestRescanAsksAgainAboutSoManyAtMost(t *testing.T) {
	t.Parallel()
	const n = recheckMost + 500
	o, _ := knowingAll(t, n)
	for _, f := range o.known {
		f.open, f.checked = true, -age(recheckAfter*o.opts.Rescan)
	}
	o.rescan(time.Now())
	if o.pending.len() != recheckMost || len(o.known) != n || o.status.Ours != n {
		t.Errorf("%d asked about, %d known, %d counted", o.pending.len(), len(o.known), o.status.Ours)
	}
}

// stutters lists every name twice, as a directory may that changes meanwhile.
type stutters struct{ *fakeDir }

func (d stutters) Each(sift func([]Entry) []Entry, visit func(Entry) error) error {
	return d.fakeDir.Each(func(all []Entry) []Entry { return sift(append(all, all...)) }, visit)
}

func TestNameListedTwiceHidesNoneThatIsGone(t *testing.T) {
	t.Parallel()
	d := newFakeDir()
	o := newOwner(New(Options{Channel: upload.Flu, Dir: stutters{d}, Kinds: kinds, Ledger: newFakeLedger(), NoEvents: true}))
	for i := range 2 {
		d.set(numbered(i), 1)
		o.known[numbered(i)] = &file{id: d.files[numbered(i)]}
	}
	d.remove(numbered(1))
	o.rescan(time.Now())
	if len(o.known) != 1 || o.known[numbered(0)] == nil {
		t.Errorf("known: %v", o.known)
	}
}
