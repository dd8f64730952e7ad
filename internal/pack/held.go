package pack

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// heldMost is the size up to which a packed copy may wait in memory.
	heldMost = 16 << 10
	// heldSource is the size of source whose copy may become as small.
	heldSource = 16 * heldMost
	// heldFor is how long it does: longer than most files take to their verdict.
	heldFor = 5 * time.Second
)

// heldCopy is a packed copy without a file.
type heldCopy struct {
	bytes []byte
	since time.Time
}

// holds reports whether a copy of a source of that size may do without a file.
func (s *Stage) holds(size int64) bool {
	if s.o.Hold <= 0 || s.o.Shared || size > heldMost {
		return false
	}
	s.holding.Lock()
	defer s.holding.Unlock()
	return !s.closed && s.heldSize.Load()+size <= s.o.Hold
}

// hold keeps a whole copy in memory.
func (s *Stage) hold(id upload.ID, b []byte) {
	s.holding.Lock()
	defer s.holding.Unlock()
	s.held[id] = heldCopy{b, s.o.Now()}
	s.heldSize.Add(int64(len(b)))
	if s.spill == nil {
		s.spill = time.AfterFunc(heldFor, s.spillOld)
	}
}

// heldOf is the copy of an upload, if it has no file.
func (s *Stage) heldOf(id upload.ID) ([]byte, bool) {
	s.holding.Lock()
	defer s.holding.Unlock()
	c, ok := s.held[id]
	return c.bytes, ok
}

// letGo forgets a copy in memory and reports whether there was one: then there is
// no file.
func (s *Stage) letGo(id upload.ID) bool {
	s.holding.Lock()
	defer s.holding.Unlock()
	c, ok := s.held[id]
	if ok {
		delete(s.held, id)
		s.heldSize.Add(-int64(len(c.bytes)))
		s.uncharge(int64(len(c.bytes)))
	}
	return ok
}

// spillOld gives the copies that have waited long enough their files.
func (s *Stage) spillOld() {
	s.holding.Lock()
	defer s.holding.Unlock()
	s.spill = nil
	if s.closed {
		return
	}
	if err := s.spillFrom(s.o.Now().Add(-heldFor)); err != nil {
		s.o.Logger.Warn("packed copies stay in memory for want of a place", slog.Any("error", err))
	}
	if len(s.held) > 0 {
		s.spill = time.AfterFunc(heldFor/4, s.spillOld)
	}
}

// spillFrom gives files to what was packed at a time or before; the lock is held, so
// that nobody looks for a copy while it is in neither place.
func (s *Stage) spillFrom(since time.Time) error {
	var all []error
	for id, c := range s.held {
		if c.since.After(since) {
			continue
		}
		if err := s.spillOne(id, c.bytes); err != nil {
			all = append(all, err)
			continue
		}
		delete(s.held, id)
		s.heldSize.Add(-int64(len(c.bytes)))
	}
	return errors.Join(all...)
}

func (s *Stage) spillOne(id upload.ID, b []byte) error {
	f, err := s.o.Spool.Create(partName(id))
	if err != nil {
		return durable.Fault(err, "keep the packed copy")
	}
	if _, err = f.Write(b); err == nil {
		err = f.Close()
	}
	if err == nil {
		err = s.o.Spool.RenameSoon(partName(id), zipName(id))
	}
	if err != nil {
		f.Discard()
		return durable.Fault(err, "keep the packed copy")
	}
	return nil
}

// Close gives every packed copy its file. One that finds no place for it is lost with
// the process, and its source packed again by the next one, as after a power cut:
// that is told, and keeps nobody from ending.
func (s *Stage) Close() {
	s.holding.Lock()
	defer s.holding.Unlock()
	s.closed = true
	if s.spill != nil {
		s.spill.Stop()
	}
	if err := s.spillFrom(s.o.Now()); err != nil {
		s.o.Logger.Warn("packed copies are lost for want of a place", slog.Int("files", len(s.held)), slog.Any("error", err))
	}
}

// inMemory is a copy in memory, open for sending.
type inMemory struct{ *bytes.Reader }

// Close implements io.Closer.
func (inMemory) Close() error { return nil }

var _ io.ReadSeekCloser = inMemory{}
