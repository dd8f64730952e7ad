package pack

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pack/optimal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The levels: to flate.BestCompression those of a fast encoder, beyond those of
// package optimal. Where none is chosen, a small source has one of its own.
const (
	smallLevel = 0
	lastFast   = flate.BestCompression
	// MostLevel is the level that gives least and takes longest.
	MostLevel = lastFast + optimal.Most
)

func (s *Stage) level(u upload.Upload) int {
	if s.o.Level != nil {
		if level := s.o.Level(u.Channel, u.Source.Size); level >= flate.BestSpeed && level <= MostLevel {
			return level
		}
	}
	if u.Source.Size <= optimal.MostSmall {
		return smallLevel
	}
	return DefaultLevel
}

// compressors keeps compressors for the next file: most have tables of a
// megabyte or more, too much to make anew a hundred times a second.
type compressors struct {
	small spares[*optimal.Small]
	fast  [lastFast + 1]spares[*flate.Writer]
	slow  sync.Pool
	// busy is set while a packing uses package optimal: each would take two cores
	// and 9 MB, so there is one at a time.
	busy atomic.Bool
	// sharing is how many recompressions there are, which go no faster than the
	// link.
	sharing atomic.Int32
}

// mostSpares is how many compressors of a level are kept, and keptFor how long after
// the last use. The garbage collector, which small files call every few of them,
// would take those of a sync.Pool away.
const (
	mostSpares = 2
	keptFor    = 10 * time.Second
)

// spares are compressors out of use.
type spares[C any] struct {
	mu    sync.Mutex
	free  []C
	clear *time.Timer
}

// take gives the one that was used last, if there is any.
func (s *spares[C]) take() (w C, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	if last < 0 {
		return w, false
	}
	w = s.free[last]
	s.free = s.free[:last]
	return w, true
}

func (s *spares[C]) put(w C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < mostSpares {
		s.free = append(s.free, w)
	}
	if s.clear == nil {
		s.clear = time.AfterFunc(keptFor, s.drop)
	} else {
		s.clear.Reset(keptFor)
	}
}

func (s *spares[C]) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = nil
}

// mostSharing bounds the recompressions that there are at a time.
const mostSharing = 2

func (c *compressors) share() bool {
	if c.sharing.Add(1) <= mostSharing {
		return true
	}
	c.unshare()
	return false
}

func (c *compressors) unshare() { c.sharing.Add(-1) }

// besides is the level for what is packed while another packing is at one of the
// slow ones.
const besides = 8

// get gives a compressor and its level, which may be another than was asked for.
// put ends its use, whether or not it was closed.
func (c *compressors) get(level int, w io.Writer) (_ io.WriteCloser, _ int, put func(), err error) {
	if level > lastFast && !c.busy.CompareAndSwap(false, true) {
		level = besides
	}
	if level > lastFast {
		ow, put := c.optimal(level-lastFast, w)
		return ow, level, put, nil
	}
	if level == smallLevel {
		sw, put := c.ofSmall(w)
		return sw, level, put, nil
	}
	pool := &c.fast[level]
	fw, ok := pool.take()
	if ok {
		fw.Reset(w)
	} else if fw, err = flate.NewWriter(w, level); err != nil {
		return nil, level, func() {}, err
	}
	return fw, level, func() { pool.put(fw) }, nil
}

func (c *compressors) ofSmall(w io.Writer) (_ *optimal.Small, put func()) {
	sw, ok := c.small.take()
	if !ok {
		sw = optimal.NewSmall()
	}
	sw.Reset(w)
	return sw, func() { c.small.put(sw) }
}

// optimal needs busy; put gives it back.
func (c *compressors) optimal(effort int, w io.Writer) (_ *optimal.Writer, put func()) {
	ow := c.writer()
	ow.Reset(w, effort)
	return ow, func() {
		c.keep(ow)
		c.busy.Store(false)
	}
}

func (c *compressors) writer() *optimal.Writer {
	if ow, ok := c.slow.Get().(*optimal.Writer); ok {
		return ow
	}
	return optimal.New()
}

// keep ends the use of a writer, and keeps it for the next.
func (c *compressors) keep(ow *optimal.Writer) {
	ow.Stop()
	if ow.Close() == nil { // one that has failed may have lost something
		c.slow.Put(ow)
	}
}
