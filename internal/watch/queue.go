package watch

import (
	"container/heap"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// queue holds the sightings that the ledger has not been told yet, one per file
// name, the oldest time of modification first. The zero queue is empty.
type queue struct {
	byName map[string]*waiting
	order  order
}

type waiting struct {
	upload.Sighting
	at int // in order
}

func (q *queue) len() int { return len(q.order) }

// put adds s, in place of what waits under the same name; a force once asked
// for stays.
func (q *queue) put(s upload.Sighting) {
	if was := q.byName[s.Filename]; was != nil {
		s.Forced = s.Forced || was.Forced
		s.BatchID = was.BatchID
		was.Sighting = s
		heap.Fix(&q.order, was.at)
		return
	}
	if q.byName == nil {
		q.byName = map[string]*waiting{}
	}
	w := &waiting{Sighting: s}
	q.byName[s.Filename] = w
	heap.Push(&q.order, w)
}

// pop takes the oldest; the queue must not be empty.
func (q *queue) pop() upload.Sighting {
	w := heap.Pop(&q.order).(*waiting) //nolint:forcetypeassert // the heap holds nothing else
	delete(q.byName, w.Filename)
	return w.Sighting
}

func (q *queue) has(name string) bool { return q.byName[name] != nil }

func (q *queue) drop(name string) {
	if w := q.byName[name]; w != nil {
		heap.Remove(&q.order, w.at)
		delete(q.byName, name)
	}
}

type order []*waiting

func (o order) Len() int { return len(o) }

func (o order) Less(i, j int) bool {
	a, b := o[i], o[j]
	if a.Seen.ModTime != b.Seen.ModTime {
		return a.Seen.ModTime < b.Seen.ModTime
	}
	return a.Filename < b.Filename
}

func (o order) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].at, o[j].at = i, j
}

func (o *order) Push(x any) {
	w := x.(*waiting) //nolint:forcetypeassert // the heap holds nothing else
	w.at = len(*o)
	*o = append(*o, w)
}

func (o *order) Pop() any {
	old := *o
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*o = old[:len(old)-1]
	return w
}
