package settle

import (
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// An upload whose file was not looked at for this long is forgotten: it was
// cancelled, or another replica works on it. It costs it one quiet period.
const (
	forgetAfter = time.Hour
	sweepEvery  = 10 * time.Minute
)

// look is what one look at a file means together with the looks before it.
type look struct {
	seen    upload.Identity
	still   time.Duration // unchanged for, as far as we saw ourselves
	changed bool          // it changed since an earlier look
	age     time.Duration // since the first look
}

type remembered struct {
	seen    upload.Identity
	first   time.Time // first look at all
	since   time.Time // first of the looks that gave seen
	last    time.Time // latest look
	changed bool

	marker      upload.Identity
	markerSince time.Time
	refused     refusal
}

// refusal remembers that a marker did not fit a file, so that a large file is
// not read again and again while neither changes.
type refusal struct {
	file, marker upload.Identity
	detail       string
}

// memory keeps the looks, per upload.
type memory struct {
	mu    sync.Mutex
	files map[upload.ID]*remembered
	swept time.Time
}

func newMemory() *memory { return &memory{files: map[upload.ID]*remembered{}} }

func (m *memory) look(id upload.ID, seen upload.Identity, now time.Time) look {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	r := m.files[id]
	if r == nil {
		r = &remembered{seen: seen, first: now, since: now}
		m.files[id] = r
	}
	if r.seen != seen {
		r.seen, r.since, r.changed = seen, now, true
	}
	r.last = now
	return look{seen: seen, still: now.Sub(r.since), changed: r.changed, age: now.Sub(r.first)}
}

// lookMarker is look for the marker beside the file: how long it is unchanged.
func (m *memory) lookMarker(id upload.ID, seen upload.Identity, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.files[id]
	if r == nil {
		return 0
	}
	if r.marker != seen {
		r.marker, r.markerSince = seen, now
	}
	return now.Sub(r.markerSince)
}

// restart begins the quiet period anew.
func (m *memory) restart(id upload.ID, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.files[id]; r != nil {
		r.since = now
	}
}

func (m *memory) refuse(id upload.ID, why refusal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.files[id]; r != nil {
		r.refused = why
	}
}

// refused gives the detail of an earlier refusal of this very pair.
func (m *memory) refused(id upload.ID, file, marker upload.Identity) (detail string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.files[id]
	if r == nil || r.refused.detail == "" || r.refused.file != file || r.refused.marker != marker {
		return "", false
	}
	return r.refused.detail, true
}

func (m *memory) forget(id upload.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, id)
}

func (m *memory) sweep(now time.Time) {
	if now.Sub(m.swept) < sweepEvery {
		return
	}
	m.swept = now
	for id, r := range m.files {
		if now.Sub(r.last) > forgetAfter {
			delete(m.files, id)
		}
	}
}

func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.files)
}
