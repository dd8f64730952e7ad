package pack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	zipSuffix  = ".zip"
	partSuffix = ".zip.part"
)

func zipName(id upload.ID) string  { return string(id) + zipSuffix }
func partName(id upload.ID) string { return string(id) + partSuffix }

// Open opens the packed copy of u for sending, at its first byte, and tells its
// size. A copy that is missing or is not what was packed is a local fault with
// reason SpoolLost: it must be packed again.
func (s *Stage) Open(ctx context.Context, u upload.Upload) (io.ReadSeekCloser, int64, error) {
	if b, held := s.heldOf(u.ID); held && int64(len(b)) == u.PackedSize {
		return inMemory{bytes.NewReader(b)}, u.PackedSize, nil
	}
	f, err := s.o.Spool.OpenRead(zipName(u.ID))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotRegular) {
		return nil, 0, lost(err)
	}
	if err != nil {
		return nil, 0, durable.Fault(err, "open the packed copy")
	}
	if err := s.verify(ctx, u, f); err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, u.PackedSize, nil
}

func lost(err error) error { return upload.LocalFaultOf(upload.SpoolLost, "", err) }

func (s *Stage) verify(ctx context.Context, u upload.Upload, f *durable.File) error {
	id, err := f.Identity()
	if err != nil {
		return durable.Fault(err, "look at the packed copy")
	}
	if id.Size != u.PackedSize {
		return lost(durable.ErrMismatch)
	}
	if id.Size > s.o.Small && s.verified(u.ID) == u.PackedDigest {
		return nil
	}
	got, err := durable.Digest(ctx, f)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return lost(err) // unreadable is as good as gone: the source is still there
	case got.Digest != u.PackedDigest:
		return lost(durable.ErrMismatch)
	}
	s.remember(u)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return durable.Fault(err, "read the packed copy")
	}
	return nil
}

func (s *Stage) verified(id upload.ID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checked[id]
}

func (s *Stage) remember(u upload.Upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.PackedSize > s.o.Small {
		s.checked[u.ID] = u.PackedDigest
	}
}

// asItIs reports whether a packed copy is to be sent as it is.
func (s *Stage) asItIs(id upload.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grown[id]
}

func (s *Stage) sendAsItIs(id upload.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grown[id] = true
}

// Remove removes the packed copy of u, finished or not. None being there is no
// fault.
func (s *Stage) Remove(u upload.Upload) error {
	s.mu.Lock()
	delete(s.checked, u.ID)
	delete(s.grown, u.ID)
	s.mu.Unlock()
	if s.letGo(u.ID) {
		return nil
	}
	for _, name := range []string{partName(u.ID), zipName(u.ID)} {
		if err := s.discard(name); err != nil {
			return durable.Fault(err, "clear the spool")
		}
	}
	return nil
}

func (s *Stage) discard(name string) error {
	id, err := s.o.Spool.Look(name)
	if err == nil {
		err = s.o.Spool.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		s.uncharge(id.Size)
	}
	return err
}

// Sweep removes what no living upload owns: what crashed runs and finished
// uploads left. Names that are not of our making are left alone. In a spool of our
// own it is for the start, before anything is packed; in a shared one, see SweepAge.
func (s *Stage) Sweep(ctx context.Context, live func(upload.ID) bool) (removed int, err error) {
	for e, err := range s.o.Spool.List(".") {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return removed, err
		}
		id, ours := owner(e.Name)
		if !ours || s.young(e.Name) || live(id) {
			continue
		}
		if err := s.discard(e.Name); err != nil {
			return removed, durable.Fault(err, "sweep the spool")
		}
		removed++
	}
	return removed, nil
}

// young reports whether a file may be another process's work: whatever the journal
// we ask says of it, a late writer may still have it open, or our journal may not
// be the one that knows it.
func (s *Stage) young(name string) bool {
	if !s.o.Shared {
		return false
	}
	id, err := s.o.Spool.Look(name)
	return err != nil || s.o.Now().Sub(time.Unix(0, id.ModTime)) < SweepAge
}

// owner is the upload that a spool file belongs to.
func owner(name string) (upload.ID, bool) {
	id, ok := strings.CutSuffix(name, partSuffix)
	if !ok {
		id, ok = strings.CutSuffix(name, zipSuffix)
	}
	return upload.ID(id), ok && upload.ID(id).Valid()
}

// Used is how many bytes the spool holds.
func (s *Stage) Used() (int64, error) {
	if err := s.count(false); err != nil {
		return 0, err
	}
	return s.used.Load(), nil
}

// count finds out what the spool holds; from then on it is kept up, and counted
// anew only on demand.
func (s *Stage) count(anew bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counted && !anew {
		return nil
	}
	var total int64
	for e, err := range s.o.Spool.List(".") {
		if err != nil {
			return durable.Fault(err, "count the spool")
		}
		if id, err := s.o.Spool.Look(e.Name); err == nil {
			total += id.Size
		}
	}
	total += s.heldSize.Load()
	s.used.Store(total)
	s.counted = true
	return nil
}

// room reports as a fault that nothing new can be packed now.
func (s *Stage) room() error {
	full := func() bool { return s.o.Limit > 0 && s.used.Load() >= s.o.Limit }
	if err := s.count(false); err != nil {
		return err
	}
	if full() { // perhaps another replica, or an operator, has made room
		if err := s.count(true); err != nil {
			return err
		}
	}
	if full() {
		return spoolFull()
	}
	return s.reserve()
}

func (s *Stage) reserve() error {
	free, err := s.o.Spool.FreeBytes()
	if err != nil {
		return durable.Fault(err, "look at the free space")
	}
	if free <= s.o.Reserve {
		return upload.LocalFaultOf(upload.DiskFull, "the free space is down to DISK_RESERVE", nil)
	}
	return nil
}

func (s *Stage) charge(n int64) error {
	if used := s.used.Add(n); s.o.Limit > 0 && used > s.o.Limit {
		s.used.Add(-n)
		return spoolFull()
	}
	return nil
}

func spoolFull() error { return upload.LocalFaultOf(upload.SpoolFull, "", nil) }

// uncharge takes a removed file off the count. What was removed before the
// first count is not in it.
func (s *Stage) uncharge(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counted {
		s.used.Add(-n)
	}
}
