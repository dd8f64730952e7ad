package pack

import "github.com/hqms-sidecar/hqms-sidecar/internal/pack/optimal"

const (
	// leastSample and mostSample bound how much of a source is compressed before
	// the size of all of it is foretold; between them it is one part in sampleOf.
	leastSample = 2 * optimal.ChunkSize
	mostSample  = 8 * optimal.ChunkSize
	sampleOf    = 32
	// leastGain is the part by which a copy has to become smaller at least.
	leastGain = 0.03
	// leastMargin and mostMargin bound what is added to what was foretold; between
	// them it is half of what the chunks of the sample differ by.
	leastMargin = 0.006
	mostMargin  = 0.02
	// near is how near to the size foretold it may look as if it would become
	// before more effort is made.
	near = 0.998
)

// estimate foretells how large a source will become from how large a part of it has
// become, in terms of what the same part has become before: that changes much less
// within a file than how well the file can be compressed.
type estimate struct {
	effort int
	sample int64    // bytes of source that it takes
	total  int64    // bytes that all of the source has become before
	taken  []int64  // of these: until the end of each chunk
	last   [2]int64 // where became was last: of total, of what is being made
	least  float64  // the smallest and the largest ratio of a chunk
	most   float64
	size   int64 // what is foretold; 0: not yet
}

func newEstimate(source int64, effort int) estimate {
	sample := min(max(source/sampleOf, leastSample), mostSample)
	return estimate{effort: effort, sample: sample - sample%optimal.ChunkSize}
}

// became is told that the first in bytes of the source have become out. It fails
// with ErrNoGain, where all will not become small enough to be worth it, and with
// ErrOutgrown where it will not do any more.
func (e *estimate) became(in, out int64) error {
	before := e.taken[(in-1)/optimal.ChunkSize]
	ratio := float64(out) / float64(before)
	if e.size == 0 {
		e.differ(before, out)
		if in < e.sample {
			return nil
		}
		margin := min(max((e.most-e.least)/ratio/2, leastMargin), mostMargin)
		if ratio*(1+margin) > 1-leastGain {
			return ErrNoGain
		}
		e.size = int64(ratio*(1+margin)*float64(e.total)) + 64
		return nil
	}
	if ratio*float64(e.total) > near*float64(e.size) {
		e.effort = min(e.effort+1, optimal.Most)
	}
	if out+int64(float64(e.total-before)*e.least*(1-mostMargin)) > e.size {
		return ErrOutgrown
	}
	return nil
}

// differ notes the ratio of the latest chunk.
func (e *estimate) differ(before, out int64) {
	ratio := float64(out-e.last[1]) / float64(max(before-e.last[0], 1))
	e.last = [2]int64{before, out}
	if e.least == 0 || ratio < e.least {
		e.least = ratio
	}
	e.most = max(e.most, ratio)
}
