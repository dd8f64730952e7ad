package pack

import (
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pack/optimal"
)

const (
	// leastSample and mostSample bound how much of a source is compressed before
	// the size of all of it is foretold; between them it is one part in sampleOf.
	leastSample = 2 * optimal.ChunkSize
	mostSample  = 3 * optimal.ChunkSize
	sampleOf    = 32
	// leastGain is the part by which a copy has to become smaller at least.
	leastGain = 0.03
	// leastMargin and mostMargin bound what is added to what was foretold; between
	// them it is what the chunks of the sample differ by.
	leastMargin = 0.004
	mostMargin  = 0.03
	// near is how near to the size foretold it may look as if it would become
	// before more effort is made.
	near = 0.998
)

// estimate foretells how large a source will become from how large a part of it has
// become, in terms of what the same part has become before: that changes much less
// within a file than how well the file can be compressed. A sample that is not made
// at pace is followed by another, with less effort.
type estimate struct {
	effort int
	pace   float64 // bytes per second that are to be made; 0: any will do
	sample int64   // bytes of source that a sample takes
	total  int64   // bytes that all of the source has become before
	taken  []int64 // of these: until the end of each chunk
	since  mark    // where the present sample began
	last   mark    // where became was last
	least  float64 // the smallest and the largest ratio of the sample's chunks
	most   float64
	size   int64 // what is foretold; 0: not yet
}

// mark is a place on the way.
type mark struct {
	in, before, out int64 // bytes of source, of total, of what is being made
	at              time.Time
}

func newEstimate(source int64, effort int, pace float64, now time.Time) estimate {
	sample := min(max(source/sampleOf, leastSample), mostSample)
	return estimate{effort: effort, pace: pace, sample: sample - sample%optimal.ChunkSize, since: mark{at: now}}
}

// became is told that the first in bytes of the source have become out. It fails
// with ErrNoGain, where all will not become small enough to be worth it, or not
// fast enough, and with ErrOutgrown where it will not fit any more.
func (e *estimate) became(in, out int64, now time.Time) error {
	here := mark{in, e.taken[(in-1)/optimal.ChunkSize], out, now}
	defer func() { e.last = here }()
	if e.size == 0 {
		return e.sampled(here)
	}
	ratio := float64(out-e.since.out) / float64(here.before-e.since.before)
	rest := float64(e.total - here.before)
	if float64(out)+ratio*rest > near*float64(e.size) {
		e.effort = min(e.effort+1, optimal.Most)
	}
	if float64(out)+rest*e.least*(1-mostMargin) > float64(e.size) {
		return ErrOutgrown
	}
	return nil
}

// sampled foretells, once a sample is there.
func (e *estimate) sampled(here mark) error {
	one := float64(here.out-e.last.out) / float64(max(here.before-e.last.before, 1))
	if e.least == 0 || one < e.least {
		e.least = one
	}
	e.most = max(e.most, one)
	if here.in-e.since.in < e.sample {
		return nil
	}
	made := float64(here.out - e.since.out)
	// The least, since what comes first is made with little knowledge.
	ratio := e.least * (1 + min(max((e.most-e.least)/e.least, leastMargin), mostMargin))
	if ratio > 1-leastGain {
		return ErrNoGain
	}
	if e.pace > 0 && made/here.at.Sub(e.since.at).Seconds() < e.pace {
		return e.hurry(here)
	}
	e.size = here.out + int64(ratio*float64(e.total-here.before)) + 64
	return nil
}

// hurry begins another sample, with less effort.
func (e *estimate) hurry(here mark) error {
	if e.effort == optimal.Least {
		return ErrNoGain
	}
	e.effort--
	e.since, e.least, e.most = here, 0, 0
	return nil
}
