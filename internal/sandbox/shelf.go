package sandbox

import (
	"bytes"
	"io"
	"sync"
)

const (
	// shelved is the size up to which a package is worth no file.
	shelved = 64 << 10
	// shelfRoom bounds all of them together, which wait for their turn.
	shelfRoom = 16 << 20
)

// shelf holds small packages in memory, in a sandbox whose state goes with the
// process in any case: a file for each would be made and removed within
// milliseconds, which costs more than all else there is to do with it.
type shelf struct {
	mu   sync.Mutex
	held map[string][]byte
	size int64
}

func newShelf() *shelf { return &shelf{held: map[string][]byte{}} }

// fits reports whether a package may be put here; a nil shelf takes none.
func (s *shelf) fits(size int64) bool {
	if s == nil || size > shelved {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size+size <= shelfRoom
}

// receive takes a body of exactly size bytes.
func (s *shelf) receive(token string, body io.Reader, size int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(size) + bytes.MinRead) // the end is read, too
	n, err := b.ReadFrom(io.LimitReader(body, size+1))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[token] = b.Bytes()
	s.size += size
	return b.Bytes(), nil
}

// open gives a package that is here.
func (s *shelf) open(token string) (parcel, bool) {
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, here := s.held[token]
	return onShelf{bytes.NewReader(b)}, here
}

// remove reports whether a package was here.
func (s *shelf) remove(token string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, here := s.held[token]
	s.size -= int64(len(b))
	delete(s.held, token)
	return here
}

// parcel is a received package, to be looked into.
type parcel interface {
	io.ReaderAt
	io.Closer
}

type onShelf struct{ *bytes.Reader }

// Close implements io.Closer.
func (onShelf) Close() error { return nil }
