package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
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
)

// observer is the early-delete detector: it sees every file that leaves a
// watched directory, with the time, and at the end of the test holds that
// against the journal. An original that was gone before its verdict was on
// record fails the test.
type observer struct {
	t     *testing.T
	state string
	in    *os.File
	done  chan struct{}

	mu   sync.Mutex
	dirs map[int32]string
	gone []departure
	own  map[string]bool // what the test itself takes away
}

type departure struct {
	name string
	at   time.Time
}

func observe(t *testing.T, state string, dirs ...string) *observer {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{t: t, state: state, in: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{}), dirs: map[int32]string{}, own: map[string]bool{}}
	for _, d := range dirs {
		if d == "" {
			continue
		}
		if _, err := syscall.InotifyAddWatch(fd, d, syscall.IN_MOVED_FROM|syscall.IN_DELETE|syscall.IN_ONLYDIR); err != nil {
			t.Fatal(err)
		}
	}
	go o.look()
	t.Cleanup(o.verify)
	return o
}

// mine says that the test itself takes the file away.
func (o *observer) mine(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.own[name] = true
}

func (o *observer) look() {
	defer close(o.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := o.in.Read(buf)
		if err != nil {
			return
		}
		at := time.Now()
		for b := buf[:n]; len(b) >= syscall.SizeofInotifyEvent; {
			length := int(binary.NativeEndian.Uint32(b[12:]))
			name := string(bytes.TrimRight(b[syscall.SizeofInotifyEvent:syscall.SizeofInotifyEvent+length], "\x00"))
			b = b[syscall.SizeofInotifyEvent+length:]
			if !strings.HasPrefix(name, ".") && strings.HasSuffix(strings.ToLower(name), ".csv") {
				o.mu.Lock()
				o.gone = append(o.gone, departure{name, at})
				o.mu.Unlock()
			}
		}
	}
}

// verify runs when the sidecar has ended.
func (o *observer) verify() {
	_ = o.in.Close()
	<-o.done
	o.mu.Lock()
	defer o.mu.Unlock()
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
	defer j.Close()
	for _, d := range o.gone {
		if !o.own[d.name] && !decidedBefore(ctx, o.t, j, d) && !keptBefore(ctx, o.t, o.state, d) {
			o.t.Errorf("%s left the watched directory at %s, before its verdict was on record", d.name, d.at.Format(time.StampMicro))
		}
	}
}

// decidedBefore reports whether an upload of the file had its verdict then.
func decidedBefore(ctx context.Context, t *testing.T, j *journal.Journal, d departure) bool {
	page, err := j.List(ctx, journal.Filter{Filename: d.name}, "", 1000)
	if err != nil {
		t.Error(err)
		return false
	}
	for _, u := range page.Uploads {
		if u.Filename != d.name {
			continue
		}
		events, err := j.Events(ctx, u.ID)
		if err != nil {
			t.Error(err)
			return false
		}
		for _, e := range events {
			if e.Verdict != "" && !e.At.After(d.at) {
				return true
			}
		}
	}
	return false
}

// keptBefore reports the same of the recovery log, which knows it also when the
// journal has been lost since.
func keptBefore(ctx context.Context, t *testing.T, state string, d departure) bool {
	dir, err := durable.Open(filepath.Join(state, recovery.DirName))
	if err != nil {
		t.Error(err)
		return false
	}
	defer dir.Close()
	for line, err := range recovery.Open(dir).Lines(ctx) {
		if err != nil {
			t.Error(err)
			return false
		}
		u := line.Upload
		if line.Err == nil && u.Filename == d.name && u.Verdict != "" && !u.UpdatedAt.After(d.at) {
			return true
		}
	}
	return false
}
