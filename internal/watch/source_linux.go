package watch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// listen adds a watch of our own for what fsnotify does not tell: that a writer
// closed a file, and which two names a rename joined.
func (s *source) listen(dir string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch for closes and renames: %w", err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // non-blocking: Close ends a waiting Read
	const mask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
		unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, dir, mask); err != nil {
		_ = f.Close()
		return fmt.Errorf("watch for closes and renames: %w", err)
	}
	s.closes = append(s.closes, f.Close)
	s.wg.Go(func() { s.read(f) })
	return nil
}

// heard is how many bytes of events are read at a time. It is a variable so that
// the buffer is on the heap: on the stack it would double that several times.
var heard = 16 << 10

func (s *source) read(f *os.File) {
	buf := make([]byte, heard)
	moved := moves{}
	for {
		n, err := f.Read(buf)
		if err != nil {
			s.send(event{op: evLost}) // or closed: then nobody hears
			return
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			mask := binary.NativeEndian.Uint32(rest[4:])
			cookie := binary.NativeEndian.Uint32(rest[8:])
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
			name, _, _ := bytes.Cut(rest[unix.SizeofInotifyEvent:end], []byte{0})
			if e, ok := moved.event(mask, cookie, string(name)); ok && !s.send(e) {
				return
			}
			rest = rest[end:]
		}
	}
}

// moves joins the two halves of a rename by their cookie.
type moves map[uint32]string

// Halves whose other half lies outside the directory never come; a few are kept.
const maxMoves = 64

func (m moves) event(mask, cookie uint32, name string) (event, bool) {
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0:
		clear(m)
		return event{op: evLost}, true
	case mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0:
		return event{op: evDirGone}, true
	case mask&unix.IN_MOVED_FROM != 0:
		if len(m) >= maxMoves {
			clear(m)
		}
		m[cookie] = name
		return event{op: evGone, name: name}, true
	case mask&unix.IN_MOVED_TO != 0:
		from, known := m[cookie]
		delete(m, cookie)
		if !known {
			return event{op: evTouched, name: name}, true
		}
		return event{op: evRenamed, name: name, from: from}, true
	case mask&unix.IN_CLOSE_WRITE != 0:
		return event{op: evClosed, name: name}, true
	default:
		return event{}, false
	}
}
