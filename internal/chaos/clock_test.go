package chaos

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hqms-sidecar/hqms-sidecar/internal/app"
)

// clockEnv makes the test's own binary a sidecar whose wall clock is off by what
// the file of that name holds: seconds, eight bytes. The shipped binary has no
// such thing.
const clockEnv = "CHAOS_CLOCK"

func TestMain(m *testing.M) {
	if file := os.Getenv(clockEnv); file != "" {
		os.Exit(sidecarByClock(file))
	}
	os.Exit(m.Run())
}

func sidecarByClock(file string) int {
	shared, err := mapped(file, syscall.PROT_READ)
	if err != nil {
		panic(err)
	}
	environ := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, clockEnv+"=") })
	return app.Main(app.Call{
		Args: os.Args[1:], Environ: environ, Stdout: os.Stdout, Stderr: os.Stderr,
		Seams: app.Seams{Now: func() time.Time { return set(time.Now(), shared.Load()) }},
	})
}

// mapped shares eight bytes of a file among processes.
func mapped(file string, protection int) (*atomic.Int64, error) {
	mode := os.O_RDONLY
	if protection&syscall.PROT_WRITE != 0 {
		mode = os.O_RDWR
	}
	f, err := os.OpenFile(file, mode, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page, err := syscall.Mmap(int(f.Fd()), 0, 8, protection, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*atomic.Int64)(unsafe.Pointer(&page[0])), nil
}

// set is t with its wall clock set by so many seconds and its steady clock left
// alone, as when an operator or NTP sets the machine's clock: no exported
// operation of time.Time does that.
func set(t time.Time, seconds int64) time.Time {
	const steady, secondsAt = 1 << 63, 30 // the layout of time.Time.wall
	wall := (*uint64)(unsafe.Pointer(&t))
	if *wall&steady == 0 {
		panic("no steady clock in this time")
	}
	*wall += uint64(seconds) << secondsAt
	return t
}

// TestASetClockMovesTheWallAlone: the storm's clock is what it claims to be.
func TestASetClockMovesTheWallAlone(t *testing.T) {
	t.Parallel()
	for _, by := range []int64{0, 1, -1, 3600, -86400} {
		now := time.Now()
		then := set(now, by)
		if got := then.Unix() - now.Unix(); got != by {
			t.Errorf("set by %d s: the wall moved by %d", by, got)
		}
		if got := then.Sub(now); got != 0 {
			t.Errorf("set by %d s: the steady clock moved by %s", by, got)
		}
	}
}

// clock is that of the sidecar.
type clock struct {
	file  string
	ahead *atomic.Int64 // seconds

	mu    sync.Mutex
	spans []span
}

// span is how the clock went from a moment on; also the true one goes all the
// time, in the shipped binary.
type span struct {
	from  time.Time
	ahead time.Duration
}

func newClock(g *ground) *clock {
	c := &clock{file: filepath.Join(g.base, "clock")}
	g.must(os.WriteFile(c.file, binary.NativeEndian.AppendUint64(nil, 0), 0o644))
	var err error
	c.ahead, err = mapped(c.file, syscall.PROT_READ|syscall.PROT_WRITE)
	g.must(err)
	return c
}

// farthest is how far from the truth the clock is ever set: over every pause and
// deadline of the sidecar but that for giving up a verdict and the retentions.
const farthest = 26 * 60 * 60

// jump sets the clock anew: mostly a little, sometimes by hours or a day, either way.
func (c *clock) jump(_ context.Context, rng *rand.Rand) {
	reach := []int64{5, 90, 3600, farthest}[rng.IntN(4)]
	by := rng.Int64N(2*reach+1) - reach
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead.Store(by)
	c.spans = append(c.spans, span{time.Now(), time.Duration(by) * time.Second})
}

// moments are those at which the sidecar's clock, or the true one, may have shown
// a time.
func (c *clock) moments(shown time.Time) []time.Time {
	const late = 5 * time.Second // from reading the clock to writing it down
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []time.Time{shown}
	for i, s := range c.spans {
		m := shown.Add(-s.ahead)
		if m.After(s.from.Add(-time.Second)) && (i+1 == len(c.spans) || m.Before(c.spans[i+1].from.Add(late))) {
			all = append(all, m)
		}
	}
	return all
}
