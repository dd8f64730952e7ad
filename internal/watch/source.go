package watch

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// op says what happened to a name.
type op int

const (
	evTouched op = iota // made, moved here or written
	evClosed            // closed by a writer
	evRenamed           // renamed within the directory; from is the earlier name
	evGone              // removed or moved away
	evLost              // events were lost
	evDirGone           // the directory itself is gone
)

// event is one thing heard of.
type event struct {
	op   op
	name string
	from string
}

// source brings events of one directory, from fsnotify and, where there is more
// to be heard (Linux), from a watch of our own.
type source struct {
	events chan event
	detail string // what is missing, for the status
	done   chan struct{}
	closes []func() error
	wg     sync.WaitGroup
}

// buffered events wait here while the owner is busy; beyond that they wait in
// the kernel, and beyond that they are lost, which is told.
const buffered = 1024

func openSource(dir string) (*source, error) {
	s := &source{events: make(chan event, buffered), done: make(chan struct{})}
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch for changes: %w", err)
	}
	s.closes = append(s.closes, n.Close)
	if err := n.Add(dir); err != nil {
		s.close()
		return nil, fmt.Errorf("watch for changes: %w", err)
	}
	s.wg.Go(func() { s.relay(n, filepath.Clean(dir)) })
	if err := s.listen(dir); err != nil {
		s.detail = err.Error()
	}
	return s, nil
}

// close stops the source and waits until it has stopped.
func (s *source) close() {
	close(s.done)
	for _, c := range s.closes {
		_ = c() // there is nothing left to be done about it
	}
	s.wg.Wait()
}

// send hands an event to the owner; false: the source was closed.
func (s *source) send(e event) bool {
	select {
	case s.events <- e:
		return true
	case <-s.done:
		return false
	}
}

func (s *source) relay(n *fsnotify.Watcher, dir string) {
	for {
		select {
		case e, ok := <-n.Events:
			if !ok || !s.send(translate(e, dir)) {
				return
			}
		case err, ok := <-n.Errors:
			if !ok || (err != nil && !s.send(event{op: evLost})) {
				return
			}
		case <-s.done:
			return
		}
	}
}

func translate(e fsnotify.Event, dir string) event {
	if filepath.Clean(e.Name) == dir {
		if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
			return event{op: evDirGone}
		}
		return event{op: evTouched}
	}
	name := filepath.Base(e.Name)
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		return event{op: evGone, name: name}
	}
	return event{op: evTouched, name: name}
}
