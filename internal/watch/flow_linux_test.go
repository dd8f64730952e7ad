package watch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/settle"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// flow is the watch and the settling of one real directory, driven by as much
// of a pipeline as that takes: it claims what is due, runs the stage, and reads
// what has settled, comparing identities as the later stages do. Everything is
// kept in place.
type flow struct {
	*real
	dir   *durable.Dir
	stage *settle.Stage

	mu    sync.Mutex
	taken map[string][][]byte
	again chan struct{}
}

type flowOptions struct {
	mode     settle.Mode
	probe    settle.Prober
	noEvents bool
	quiet    time.Duration
}

func newFlow(t *testing.T, o flowOptions) *flow {
	t.Helper()
	f := &flow{taken: map[string][][]byte{}, again: make(chan struct{}, 1)}
	f.real = inRealDirectory(t, func(w *Options) {
		w.Rescan, w.NoEvents = 200*time.Millisecond, o.noEvents
		w.Nudge = func(_ upload.Channel, name string) { f.nudge(name) }
		w.Began = func(upload.Upload) { f.kick() }
	})
	dir, err := durable.Open(f.path, durable.WithLazy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	f.dir = dir
	f.stage = settle.New(settle.Options{Channels: map[upload.Channel]settle.ChannelOptions{
		upload.Flu: {Dir: settle.From(dir), Mode: o.mode, Quiet: o.quiet, Hints: f.w, Probe: o.probe},
	}})
	f.ledger.atSight = f.stage.AtSight
	start(t, f.w)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx, t) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

func (f *flow) kick() {
	select {
	case f.again <- struct{}{}:
	default:
	}
}

func (f *flow) nudge(name string) {
	f.ledger.mu.Lock()
	if u := f.ledger.rows[name]; u != nil && u.State == upload.StateSpotted {
		u.NextAttemptAt = time.Time{}
	}
	f.ledger.mu.Unlock()
	f.kick()
}

func (f *flow) run(ctx context.Context, t *testing.T) {
	timer := time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.again:
		case <-timer.C:
		}
		for {
			u, due := f.claim()
			if u.ID == "" {
				timer.Reset(time.Until(due))
				break
			}
			f.work(ctx, t, u)
		}
	}
}

// claim gives a row that is due, or when the next one is.
func (f *flow) claim() (upload.Upload, time.Time) {
	f.ledger.mu.Lock()
	defer f.ledger.mu.Unlock()
	now := time.Now()
	due := now.Add(time.Second)
	for _, u := range f.ledger.rows {
		if u.State == upload.StateSettled { // at sight
			return *u, now
		}
		if u.State != upload.StateSpotted {
			continue
		}
		if !u.NextAttemptAt.After(now) {
			return *u, now
		}
		if u.NextAttemptAt.Before(due) {
			due = u.NextAttemptAt
		}
	}
	return upload.Upload{}, due
}

func (f *flow) work(ctx context.Context, t *testing.T, u upload.Upload) {
	next := u
	if u.State == upload.StateSpotted {
		o, err := f.stage.Run(ctx, u)
		if err != nil {
			o = upload.Retry(100*time.Millisecond, upload.AsFault(err).Reason, "")
		}
		if next, err = o.Apply(u, time.Now()); err != nil {
			t.Errorf("%s: %v", o.Name(), err)
			return
		}
	}
	if next.State == upload.StateSettled {
		next.State = upload.StateSuperseded
		if content, ok := f.read(u.Filename, next.Source); ok {
			f.mu.Lock()
			f.taken[u.Filename] = append(f.taken[u.Filename], content)
			f.mu.Unlock()
			next.State, next.Place = upload.StateRetired, upload.InWatch
		}
	}
	f.ledger.mu.Lock()
	*f.ledger.rows[u.Filename] = next
	f.ledger.changed()
	f.ledger.mu.Unlock()
	if next.State.Final() {
		f.w.Released(u.Filename)
	}
}

// read reads what settled; false: it is not that any more.
func (f *flow) read(name string, settled upload.Identity) ([]byte, bool) {
	file, err := f.dir.OpenRead(name)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	if id, err := file.Identity(); err != nil || id != settled {
		return nil, false
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, false
	}
	id, err := f.dir.Look(name)
	return content, err == nil && id == settled
}

func (f *flow) latest(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if all := f.taken[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

func TestEveryStableContentIsTakenAndNoPartEverIs(t *testing.T) {
	t.Parallel()
	const quiet = 400 * time.Millisecond
	cannotSay := func(string, upload.Identity) (settle.Writer, settle.Doubt) { return settle.Unknown, settle.NoLeases }
	cases := map[string]struct {
		flowOptions
		patient, reopen bool
	}{
		"auto":                           {flowOptions{mode: settle.Auto}, true, true},
		"auto without events":            {flowOptions{mode: settle.Auto, noEvents: true}, true, true},
		"auto where the probe is blind":  {flowOptions{mode: settle.Auto, probe: cannotSay}, false, true},
		"auto, blind and without events": {flowOptions{mode: settle.Auto, probe: cannotSay, noEvents: true}, false, true},
		"closed":                         {flowOptions{mode: settle.Closed}, true, false},
		"closed without events":          {flowOptions{mode: settle.Closed, noEvents: true}, true, false},
		"quiet":                          {flowOptions{mode: settle.Quiet}, false, true},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			c.quiet = quiet
			f := newFlow(t, c.flowOptions)
			if c.probe == nil && c.mode != settle.Quiet && !leasesWork(t, f.path) {
				t.Skip("the temporary directory's file system gives no leases")
			}
			exporters := unleash(t, f, quiet, c.patient, c.reopen)
			for name, e := range exporters {
				until(t, name+" is taken", func() bool { return bytes.Equal(f.latest(name), e.final()) })
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for name, e := range exporters {
				for _, content := range f.taken[name] {
					if !e.isWhole(content) {
						t.Errorf("%s was taken in part: %d of %d bytes", name, len(content), len(e.final()))
					}
				}
			}
		})
	}
}

// unleash lets exporters of every kind write at once, and waits for them.
func unleash(t *testing.T, f *flow, quiet time.Duration, patient, reopen bool) map[string]*exporter {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	outside := t.TempDir()
	exporters := map[string]*exporter{}
	var wg sync.WaitGroup
	engage := func(name string, i uint64, twin *exporter) *exporter {
		exporters[name] = &exporter{
			t: t, rnd: rand.New(rand.NewPCG(seed, i)), path: f.file(name), outside: outside, quiet: quiet, patient: patient, twin: twin,
		}
		return exporters[name]
	}
	const each, kinds = 2, 11
	for i := range uint64(each * kinds) {
		e := engage(fmt.Sprintf("flu_%d.csv", i), i, nil)
		ways := e.ways(reopen)
		wg.Go(ways[int(i)%len(ways)])
	}
	for i := range uint64(each) {
		twin := engage(fmt.Sprintf("flu_twin_%d.csv", i), 100+i, nil)
		e := engage(fmt.Sprintf("flu_swap_%d.csv", i), 200+i, twin)
		wg.Go(e.ways(reopen)[0])
	}
	wg.Wait()
	return exporters
}

func leasesWork(t *testing.T, dir string) bool {
	t.Helper()
	return storageOf(dir).local
}

func TestThousandsOfFilesAtOnceAreAllTaken(t *testing.T) {
	t.Parallel()
	f := newFlow(t, flowOptions{mode: settle.Auto, quiet: 300 * time.Millisecond})
	const many = 3000
	for i := range many {
		if err := os.WriteFile(filepath.Join(f.path, fmt.Sprintf("flu_%d.csv", i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all are taken", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.taken) == many
	})
	if f.ledger.count != many {
		t.Errorf("%d uploads of %d files", f.ledger.count, many)
	}
}
