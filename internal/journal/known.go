package journal

import "github.com/hqms-sidecar/hqms-sidecar/internal/upload"

// mostKnown bounds how many rows are known at a time: a megabyte of them.
const mostKnown = 1024

// known holds what the open rows say that were written latest, so that an upload is
// claimed, and its outcomes recorded, without reading its row first. It is there
// where one process has the journal to itself, and belongs to whoever is committing.
// What is known is what is committed: a statement that changes rows makes them
// unknown, and whoever knows how they read afterwards says so; both come into force
// with the transaction. Where it fails, nothing is known any more. Even a row known
// wrongly would not be overwritten: the guards on id, fence and state are part of
// the statement.
type known struct{ rows map[upload.ID]held }

// begin is what is known within one transaction; of a nil k that is nothing.
func (k *known) begin() *knowing {
	return &knowing{before: k, since: map[upload.ID]*held{}}
}

// knowing is what a transaction knows of rows.
type knowing struct {
	before *known
	none   bool // of what was known before
	since  map[upload.ID]*held
}

// row gives a row as it is now, if that is known.
func (k *knowing) row(id upload.ID) (held, bool) {
	if r, ok := k.since[id]; ok {
		if r == nil {
			return held{}, false
		}
		return *r, true
	}
	if k.none || k.before == nil {
		return held{}, false
	}
	r, ok := k.before.rows[id]
	return r, ok
}

// reads says how a row reads now.
func (k *knowing) reads(r held) {
	if k.before == nil {
		return
	}
	r.Fence = 0
	k.since[r.ID] = &r
}

// changes says that a row is about to change.
func (k *knowing) changes(id upload.ID) { k.since[id] = nil }

// changesAny says that rows are about to change, who knows which.
func (k *knowing) changesAny() {
	k.none = true
	clear(k.since)
}

// end makes known what the transaction knew, or nothing, where it failed.
func (k *knowing) end(committed bool) {
	all := k.before
	if all == nil {
		return
	}
	if !committed || k.none {
		all.rows = map[upload.ID]held{}
	}
	if !committed {
		return
	}
	for id, r := range k.since {
		if r == nil {
			delete(all.rows, id)
		} else {
			all.rows[id] = *r
		}
	}
	for id := range all.rows { // any will do
		if len(all.rows) <= mostKnown {
			break
		}
		delete(all.rows, id)
	}
}
