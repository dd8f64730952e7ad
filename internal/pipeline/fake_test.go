package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// memory is a journal in memory, with leases and fences, for one channel.
type memory struct {
	mu     sync.Mutex
	rows   map[upload.ID]*row
	down   error // what every call answers, if set
	lost   map[upload.ID]bool
	taken  map[upload.ID]bool // Record answers ErrContentTaken once
	renews int
	claims int
	away   error // what Renew answers, if set

	recording func(u upload.Upload) // called before something is recorded, if set
}

type row struct {
	u       upload.Upload
	until   time.Time
	trail   []string // names of recorded outcomes
	changes int      // in how many they were recorded
}

func newMemory(us ...upload.Upload) *memory {
	m := &memory{rows: map[upload.ID]*row{}, lost: map[upload.ID]bool{}, taken: map[upload.ID]bool{}}
	for _, u := range us {
		m.rows[u.ID] = &row{u: u}
	}
	return m
}

func (m *memory) ClaimSome(_ context.Context, c journal.Claim, most int) (got []upload.Upload, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims++
	if m.down != nil {
		return nil, m.down
	}
	ids := make([]upload.ID, 0, len(m.rows))
	for id := range m.rows {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b upload.ID) int {
		rank := func(id upload.ID) int {
			if slices.Contains(c.First, m.rows[id].u.Kind) {
				return 0
			}
			return 1
		}
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b))
	})
	for _, id := range ids {
		r := m.rows[id]
		if len(got) < most && r.u.Channel == c.Channel && slices.Contains(c.States, r.u.State) && !r.u.NextAttemptAt.After(c.Now) && !r.until.After(c.Now) {
			r.u.Fence++
			r.until = c.Now.Add(c.Lease)
			got = append(got, r.u)
		}
	}
	return got, nil
}

func (m *memory) NextDue(_ context.Context, ch upload.Channel, states []upload.State) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due time.Time
	for _, r := range m.rows {
		at := r.u.NextAttemptAt
		if r.until.After(at) {
			at = r.until
		}
		if r.u.Channel == ch && slices.Contains(states, r.u.State) && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due, !due.IsZero(), m.down
}

func (m *memory) RecordAll(_ context.Context, u upload.Upload, all []upload.Outcome, now time.Time, keep bool) (upload.Upload, error) {
	if m.recording != nil {
		m.recording(u)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[u.ID]
	switch {
	case m.down != nil:
		return u, m.down
	case r.u.Fence != u.Fence || r.u.State != u.State || m.lost[u.ID]:
		return u, fmt.Errorf("record: %w", journal.ErrLeaseLost)
	case m.taken[u.ID] && all[len(all)-1].Name() == "packed":
		delete(m.taken, u.ID)
		return u, fmt.Errorf("record: %w", journal.ErrContentTaken)
	}
	after := r.u
	var names []string
	for _, o := range all {
		var err error
		if after, err = o.Apply(after, now); err != nil {
			return u, err
		}
		names = append(names, o.Name())
	}
	r.u = after
	r.trail = append(r.trail, names...)
	r.changes++
	if !keep {
		r.until = time.Time{}
	}
	return after, nil
}

func (m *memory) Renew(_ context.Context, u upload.Upload, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renews++
	if m.away != nil {
		return m.away
	}
	if m.lost[u.ID] {
		return journal.ErrLeaseLost
	}
	m.rows[u.ID].until = until
	return nil
}

func (m *memory) Release(_ context.Context, u upload.Upload) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[u.ID].until = time.Time{}
	return nil
}

func (m *memory) Touch(_ context.Context, id upload.ID, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	m.rows[id].u.NextAttemptAt = now
	return nil
}

func (m *memory) add(u upload.Upload) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[u.ID] = &row{u: u}
}

func (m *memory) get(id upload.ID) upload.Upload {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[id].u
}

func (m *memory) trail(id upload.ID) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows[id].trail)
}

func (m *memory) leased(id upload.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.rows[id].until.IsZero()
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}
