package pack

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pack/optimal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The levels: to flate.BestCompression those of a fast encoder, beyond those of
// package optimal.
const (
	lastFast = flate.BestCompression
	// MostLevel is the level that gives least and takes longest.
	MostLevel = lastFast + optimal.Most
)

func (s *Stage) level(u upload.Upload) int {
	if s.o.Level != nil {
		if level := s.o.Level(u.Channel, u.Source.Size); level >= flate.BestSpeed && level <= MostLevel {
			return level
		}
	}
	return DefaultLevel
}

// compressors keeps compressors for the next file: each has tables of a
// megabyte or more, too much to make anew a hundred times a second.
type compressors struct {
	fast [lastFast + 1]sync.Pool
	slow sync.Pool
	// busy is set while a packing uses package optimal: each would take two cores
	// and 9 MB, so there is one at a time.
	busy atomic.Bool
	// sharing is how many recompressions there are, which go no faster than the
	// link.
	sharing atomic.Int32
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
	pool := &c.fast[level]
	fw, ok := pool.Get().(*flate.Writer)
	if ok {
		fw.Reset(w)
	} else if fw, err = flate.NewWriter(w, level); err != nil {
		return nil, level, func() {}, err
	}
	return fw, level, func() { pool.Put(fw) }, nil
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
