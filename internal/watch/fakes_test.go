package watch

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kinds knows flu_*.csv alone.
func kinds(name string) (upload.Kind, bool) {
	low := strings.ToLower(name)
	return "flu", strings.HasPrefix(low, "flu_") && path.Ext(low) == ".csv"
}

// fakeDir is a directory in memory.
type fakeDir struct {
	mu     sync.Mutex
	files  map[string]upload.Identity
	odd    map[string]fs.FileMode // not regular, by type
	broken error
	inode  uint64
}

func newFakeDir() *fakeDir {
	return &fakeDir{files: map[string]upload.Identity{}, odd: map[string]fs.FileMode{}}
}

func (d *fakeDir) Path() string { return "/nowhere/watched" }

func (d *fakeDir) set(name string, mtime int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inode++
	d.files[name] = upload.Identity{Inode: d.inode, Size: 1, ModTime: mtime, ChangeTime: mtime}
}

func (d *fakeDir) setOdd(name string, kind fs.FileMode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.odd[name] = kind
}

func (d *fakeDir) remove(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
}

func (d *fakeDir) breakIt(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

func (d *fakeDir) Look(name string) (upload.Identity, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.files[name]
	switch _, odd := d.odd[name]; {
	case d.broken != nil:
		return id, d.broken
	case odd:
		return id, durable.ErrNotRegular
	case !ok:
		return id, fs.ErrNotExist
	}
	return id, nil
}

func (d *fakeDir) Each(sift func([]Entry) []Entry, visit func(Entry) error) error {
	d.mu.Lock()
	broken, names, ids, odd := d.broken, slices.Collect(maps.Keys(d.files)), maps.Clone(d.files), maps.Clone(d.odd)
	d.mu.Unlock()
	if broken != nil {
		return broken
	}
	for name := range odd {
		names = append(names, name)
	}
	var all []Entry
	for _, name := range names {
		all = append(all, Entry{Name: name, Type: odd[name], Inode: ids[name].Inode, look: d.Look})
	}
	if sift != nil {
		all = sift(all)
	}
	for _, e := range all {
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

func (d *fakeDir) Plant(string) error { return durable.ErrReadOnly }

func (d *fakeDir) Remove(name string) error { d.remove(name); return nil }

// fakeLedger keeps uploads as the journal does.
type fakeLedger struct {
	mu      sync.Mutex
	rows    map[string]*upload.Upload // the latest of each file name
	told    []upload.Sighting
	ended   int
	away    error
	block   chan struct{}                // Spot waits for it
	atSight func(s upload.Sighting) bool // whether an upload settles as it begins; nil: none does
	waiting atomic.Bool                  // it does
	grown   chan struct{}                // closed and made anew at every change
	count   int
}

func newFakeLedger() *fakeLedger {
	return &fakeLedger{rows: map[string]*upload.Upload{}, grown: make(chan struct{})}
}

var errAway = errors.New("journal is away")

func (l *fakeLedger) SpotAll(ctx context.Context, all []upload.Sighting) []upload.Spotted {
	answers := make([]upload.Spotted, len(all))
	for i, s := range all {
		answers[i].Upload, answers[i].How, answers[i].Err = l.spot(ctx, s)
	}
	return answers
}

func (l *fakeLedger) spot(ctx context.Context, s upload.Sighting) (upload.Upload, upload.Spotting, error) {
	if l.block != nil {
		l.waiting.Store(true)
		select {
		case <-l.block:
		case <-ctx.Done():
			return upload.Upload{}, "", ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		return upload.Upload{}, "", l.away
	}
	l.told = append(l.told, s)
	l.changed()
	u := l.rows[s.Filename]
	switch {
	case u == nil:
	case u.State.Open():
		return *u, upload.Underway, nil
	case u.Knows(s.Seen) && !s.Forced:
		return *u, upload.Known, nil
	}
	l.count++
	u = &upload.Upload{
		ID: upload.ID("u" + strconv.Itoa(l.count)), Channel: s.Channel, Kind: s.Kind, Filename: s.Filename,
		BatchID: s.BatchID, State: upload.StateSpotted, Source: s.Seen, Forced: s.Forced, SpottedAt: s.At, Place: upload.InWatch,
	}
	if l.atSight != nil && l.atSight(s) {
		u.State = upload.StateSettled
	}
	l.rows[s.Filename] = u
	return *u, upload.Began, nil
}

func (l *fakeLedger) Foretell(_ context.Context, s upload.Sighting) (upload.Upload, upload.Spotting, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.rows[s.Filename]
	switch {
	case l.away != nil:
		return upload.Upload{}, "", l.away
	case u != nil && u.State.Open():
		return *u, upload.Underway, nil
	case u != nil && u.Knows(s.Seen) && !s.Forced:
		return *u, upload.Known, nil
	}
	return upload.Upload{}, upload.Began, nil
}

func (l *fakeLedger) changed() {
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *fakeLedger) setAway(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = err
}

// end gives the latest upload of name an end.
func (l *fakeLedger) end(name string, state upload.State, source upload.Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows[name].State, l.rows[name].Source = state, source
	l.ended++
	l.changed()
}

func (l *fakeLedger) sightings() []upload.Sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.told)
}

func (l *fakeLedger) forgetSightings() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = nil
}

func (l *fakeLedger) names() []string {
	var names []string
	for _, s := range l.sightings() {
		names = append(names, s.Filename)
	}
	return names
}

// await waits until ok holds of what was told, or fails the test.
func (l *fakeLedger) await(t *testing.T, patience time.Duration, ok func(told []upload.Sighting) bool) {
	t.Helper()
	late := time.After(patience)
	for {
		l.mu.Lock()
		grown, told := l.grown, slices.Clone(l.told)
		l.mu.Unlock()
		if ok(told) {
			return
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("waited %v; told of %d files", patience, len(told))
		}
	}
}

// start runs the watcher for as long as the test, or until the returned stop.
func start(t *testing.T, w *Watcher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func byName(seen []Seen) map[string]Seen {
	m := map[string]Seen{}
	for _, s := range seen {
		m[s.Filename] = s
	}
	return m
}
