package observer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/recovery"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Observer watches directories for files that leave.
type Observer struct {
	t     testing.TB
	state string
	in    *os.File
	done  chan struct{}
	once  sync.Once

	mu       sync.Mutex
	gone     []departure
	own      map[string]bool // what the test itself takes away
	moments  func(shown time.Time) []time.Time
	overflow bool
}

type departure struct {
	name string
	at   time.Time
}

// Watch observes dirs from now on; an empty one is left out. state is the
// sidecar's STATE_DIR. Verify runs at the end of the test at the latest: call
// Watch before the sidecar is started, so that it has ended by then.
func Watch(t testing.TB, state string, dirs ...string) *Observer {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	o := &Observer{t: t, state: state, in: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{}), own: map[string]bool{}}
	for _, d := range dirs {
		if d == "" {
			continue
		}
		if _, err := syscall.InotifyAddWatch(fd, d, syscall.IN_MOVED_FROM|syscall.IN_DELETE|syscall.IN_ONLYDIR); err != nil {
			t.Fatal(err)
		}
	}
	go o.look()
	t.Cleanup(func() { o.Verify() })
	return o
}

// Mine says that the test itself takes the file away.
func (o *Observer) Mine(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.own[name] = true
}

// Clock is for a sidecar whose clock is set during the test: moments tells when
// its clock may have shown a time.
func (o *Observer) Clock(moments func(shown time.Time) []time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.moments = moments
}

// before reports whether a verdict was on record at a moment.
func (o *Observer) before(verdicts []time.Time, at time.Time) bool {
	for _, shown := range verdicts {
		moments := []time.Time{shown}
		if o.moments != nil {
			moments = o.moments(shown)
		}
		for _, m := range moments {
			if !m.After(at) {
				return true
			}
		}
	}
	return false
}

func (o *Observer) look() {
	defer close(o.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := o.in.Read(buf)
		if err != nil {
			return
		}
		o.note(buf[:n], time.Now())
	}
}

// note takes down the departures among the kernel's events.
func (o *Observer) note(b []byte, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(b) >= syscall.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(b[4:])
		end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
		name := string(bytes.TrimRight(b[syscall.SizeofInotifyEvent:end], "\x00"))
		b = b[end:]
		if mask&syscall.IN_Q_OVERFLOW != 0 {
			o.overflow = true
		}
		if !strings.HasPrefix(name, ".") && strings.HasSuffix(strings.ToLower(name), ".csv") {
			o.gone = append(o.gone, departure{name, at})
		}
	}
}

// Verify ends the observation and fails the test for every original that went
// too early. The sidecar must have ended. It tells how many departures there were.
func (o *Observer) Verify() (departures int) {
	o.once.Do(o.verify)
	return len(o.gone)
}

func (o *Observer) verify() {
	_ = o.in.Close()
	<-o.done
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.overflow {
		o.t.Error("the kernel lost events: nobody saw every departure")
	}
	if len(o.gone) == 0 {
		return
	}
	if _, err := os.Stat(filepath.Join(o.state, "journal.db")); err != nil {
		o.t.Errorf("%d files left the watched directory, and there is no journal: %v", len(o.gone), err)
		return
	}
	ctx := context.Background()
	j, err := sqlite.Open(ctx, o.state, journal.Options{})
	if err != nil {
		o.t.Errorf("open the journal: %v", err)
		return
	}
	defer j.Close() //nolint:errcheck // it was read only
	decided, err := verdicts(ctx, j)
	if err != nil {
		o.t.Errorf("read the journal: %v", err)
		return
	}
	if err := addKept(ctx, o.state, decided); err != nil {
		o.t.Errorf("read the recovery log: %v", err)
		return
	}
	for _, d := range o.gone {
		if !o.own[d.name] && !o.before(decided[d.name], d.at) {
			o.t.Errorf("%s left the watched directory at %s, before its verdict was on record", d.name, d.at.Format(time.StampMicro))
		}
	}
}

// verdicts tells for each file name when uploads of it had their verdicts.
func verdicts(ctx context.Context, j *journal.Journal) (map[string][]time.Time, error) {
	const page = 1000
	names := map[upload.ID]string{}
	for cursor, more := "", true; more; {
		p, err := j.List(ctx, journal.Filter{}, cursor, page)
		if err != nil {
			return nil, err
		}
		for _, u := range p.Uploads {
			names[u.ID] = u.Filename
		}
		cursor, more = p.Next, p.Next != ""
	}
	all := map[string][]time.Time{}
	for seq := int64(0); ; {
		events, err := j.EventsAfter(ctx, seq, page)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return all, nil
		}
		for _, e := range events {
			seq = e.Seq
			if name := names[e.UploadID]; e.Verdict != "" {
				all[name] = append(all[name], e.At)
			}
		}
	}
}

// addKept adds the verdicts of the recovery log, which knows them also when the
// journal has been lost since.
func addKept(ctx context.Context, state string, all map[string][]time.Time) error {
	dir, err := durable.Open(filepath.Join(state, recovery.DirName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // it was read only
	for line, err := range recovery.Open(dir).Lines(ctx) {
		if err != nil {
			return err
		}
		if u := line.Upload; line.Err == nil && u.Verdict != "" {
			all[u.Filename] = append(all[u.Filename], u.UpdatedAt)
		}
	}
	return nil
}
