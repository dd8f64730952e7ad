package journaltest

import (
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// foretell gives the row a sighting is about, or the one that would begin.
func (m *model) foretell(s upload.Sighting) (*modelRow, upload.Spotting) {
	var latest, finished *modelRow
	for _, r := range m.rows {
		if r.Filename != s.Filename {
			continue
		}
		if r.State.Open() {
			return r, upload.Underway
		}
		if latest = r; r.State.Final() {
			finished = r
		}
	}
	if latest != nil && latest.Knows(s.Seen) && !s.Forced {
		return latest, upload.Known
	}
	u := upload.Upload{
		BatchID: s.BatchID, Channel: s.Channel, Kind: s.Kind, Filename: s.Filename, Source: s.Seen, State: upload.StateSpotted,
		Forced: s.Forced, Place: upload.InWatch, Path: s.Filename, SpottedAt: s.At, UpdatedAt: s.At, NextAttemptAt: s.At,
	}
	if s.Complete {
		u.State = upload.StateSettled
	}
	if finished != nil {
		u.ReplacesID = finished.ID
	}
	return &modelRow{Upload: u}, upload.Began
}

// claim leases the next row, or gives nil.
func (m *model) claim(c journal.Claim) *modelRow {
	var due []*modelRow
	for _, r := range m.rows {
		leased := r.leased && r.until.After(m.now)
		if r.State.Open() && slices.Contains(c.States, r.State) && !r.NextAttemptAt.After(m.now) && !leased {
			due = append(due, r)
		}
	}
	if len(due) == 0 {
		return nil
	}
	later := func(r *modelRow) int {
		if r.Attempt > 0 && r.NextAttemptAt.After(m.now.Add(-time.Minute)) {
			return 2
		}
		if slices.Contains(c.First, r.Kind) {
			return 0
		}
		return 1
	}
	next := slices.MinFunc(due, func(a, b *modelRow) int { // the first of equals: rows are in order
		if d := later(a) - later(b); d != 0 {
			return d
		}
		return a.SpottedAt.Compare(b.SpottedAt)
	})
	next.fence++
	next.leased, next.until = true, m.now.Add(c.Lease)
	return next
}

func (m *model) record(u upload.Upload, o upload.Outcome, keep bool) (upload.Upload, error) {
	r := m.find(u.ID)
	if !r.leased || r.fence != u.Fence || r.State != u.State {
		return upload.Upload{}, journal.ErrLeaseLost
	}
	return m.change(r, o, func(after *upload.Upload) {
		r.leased = keep && after.State.Open()
		if r.leased {
			after.Fence = r.fence
		}
	})
}

func (m *model) act(r *modelRow, o upload.Outcome) (upload.Upload, error) {
	return m.change(r, o, func(*upload.Upload) {
		r.leased = false
		r.fence++
	})
}

// change applies an outcome to a row if no other row stands against it.
func (m *model) change(r *modelRow, o upload.Outcome, lease func(after *upload.Upload)) (upload.Upload, error) {
	after, err := o.Apply(r.Upload, m.now)
	if err != nil {
		return upload.Upload{}, upload.ErrIllegalTransition
	}
	if err := m.mayHold(after, o); err != nil {
		return upload.Upload{}, err
	}
	if after.State.Open() {
		for _, other := range m.rows {
			if other != r && other.Filename == r.Filename && other.State.Open() {
				return upload.Upload{}, journal.ErrConflict
			}
		}
	}
	if id := o.Adopts(); id != "" {
		m.find(id).ContentKey = ""
	}
	if o.Name() != "hold" && o.Name() != "polled" || o.Reason() != r.Reason {
		r.events = append(r.events, o.Name())
	}
	r.Upload = after
	lease(&after)
	return after, nil
}

// mayHold says whether the content is free for u, or given up by the one it adopts.
func (m *model) mayHold(u upload.Upload, o upload.Outcome) error {
	if id := o.Adopts(); id != "" {
		e := m.find(id)
		atServer := e.Verdict == upload.Accepted || e.Verdict == upload.Duplicate || e.Verdict == upload.PartiallyAccepted
		givenUp := e.Verdict == upload.Unresolved || (!atServer && (e.State == upload.StateFailed || e.State == upload.StateCancelled))
		if e.ContentKey != u.ContentKey || !givenUp {
			return journal.ErrContentTaken
		}
	}
	for _, other := range m.rows {
		if u.ContentKey != "" && other.ID != u.ID && other.ID != o.Adopts() && other.ContentKey == u.ContentKey {
			return journal.ErrContentTaken
		}
	}
	return nil
}
