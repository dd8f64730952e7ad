package durable

import "sync"

// syncs lets those who want the same directory synced share a sync: one that
// began after they asked serves them all. Where many files are put away at once,
// a write-through of the disk is what costs, not what is in it.
type syncs struct {
	mu      sync.Mutex
	running map[string]*turns
}

// turns are the syncs of one directory, one after the other.
type turns struct {
	users int // under the mutex of syncs
	asked int64

	mu   sync.Mutex // held by whoever syncs
	done int64      // all who asked up to here are served
}

// together calls sync, or waits for another's call of it that begins later than
// this. A failure is the caller's own: who waited tries for himself.
func (s *syncs) together(name string, sync func() error) error {
	t, own := s.join(name)
	defer s.leave(name, t)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done >= own {
		return nil
	}
	s.mu.Lock()
	upTo := t.asked
	s.mu.Unlock()
	err := sync()
	if err == nil {
		t.done = upTo
	}
	return err
}

func (s *syncs) join(name string) (t *turns, own int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		s.running = map[string]*turns{}
	}
	t = s.running[name]
	if t == nil {
		t = &turns{}
		s.running[name] = t
	}
	t.users++
	t.asked++
	return t, t.asked
}

func (s *syncs) leave(name string, t *turns) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(s.running, name)
	}
}
