package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/observer"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	durationEnv = "HQMS_CHAOS"
	seedEnv     = "HQMS_CHAOS_SEED"
	binEnv      = "HQMS_E2E_BIN"

	short = 12 * time.Second
	// long is from when on a run must have seen every kind of fault.
	long = 3 * time.Minute
	// whole is the length from which on a run proves what it is for.
	whole = 15 * time.Minute
	// drainPatience is how long everything may take to come to its end once all is mended.
	drainPatience = 5 * time.Minute
)

// run is one run of chaos.
type run struct {
	t        *testing.T
	seed     uint64
	duration time.Duration
	figures  *figures
	ground   *ground
	server   *server
	network  *network
	sidecar  *sidecar
	writers  *writers
	observer *observer.Observer
}

func TestNothingIsLostNothingTwiceWhileEverythingBreaks(t *testing.T) {
	duration := short
	if s := os.Getenv(durationEnv); s != "" {
		var err error
		if duration, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		t.Skip("takes its time")
	}
	seed := rand.Uint64()
	if s := os.Getenv(seedEnv); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d %s=%s", seedEnv, seed, durationEnv, duration)
	r := newRun(t, seed, duration)
	r.storm()
	r.strike()
	r.drain()
	r.judge()
	t.Logf("%s", r.figures)
	if t.Failed() {
		t.Logf("the same schedule again: %s=%d %s=%s", seedEnv, seed, durationEnv, duration)
	}
}

func newRun(t *testing.T, seed uint64, duration time.Duration) *run {
	t.Helper()
	r := &run{t: t, seed: seed, duration: duration, figures: newFigures()}
	r.ground = newGround(t)
	r.observer = observer.Watch(t, r.ground.state, r.ground.flu, r.ground.hqms)
	r.server = newServer(t, r.ground)
	r.network = newNetwork(t, r.server.addr)
	r.sidecar = newSidecar(t, r.ground, r.network.addr, r.figures)
	r.observer.Clock(r.sidecar.clock.moments)
	r.writers = newWriters(t, r.ground, r.rng(4))
	return r
}

// rng is a track's own source of chance: what happens on one does not change
// what is drawn on another.
func (r *run) rng(track uint64) *rand.Rand { return rand.New(rand.NewPCG(r.seed, track)) }

// move is something that breaks, and is mended when it returns.
type move struct {
	name   string
	weight int
	do     func(ctx context.Context, rng *rand.Rand)
}

// track makes moves one after the other until ctx ends.
func (r *run) track(ctx context.Context, number uint64, pause func(*rand.Rand) time.Duration, moves []move) {
	rng := r.rng(number)
	total := 0
	for _, m := range moves {
		total += m.weight
	}
	for wait(ctx, pause(rng)) {
		n := rng.IntN(total)
		for _, m := range moves {
			if n -= m.weight; n < 0 {
				r.figures.count(m.name)
				m.do(ctx, rng)
				break
			}
		}
	}
}

// storm breaks everything for the duration. In the last third the sidecar is
// left alive, so that it can be seen to stay in shape.
func (r *run) storm() {
	all, cancel := context.WithTimeout(r.t.Context(), r.duration)
	defer cancel()
	killing, stopKilling := context.WithTimeout(all, r.duration*2/3)
	defer stopKilling()
	r.sidecar.begin()
	began := time.Now()
	var tracks sync.WaitGroup
	tracks.Go(func() { r.writers.write(all, r.duration) })
	tracks.Go(func() {
		r.track(killing, 1, betweenKills, r.processMoves())
		r.sidecar.shipped()
		r.sidecar.stayInShape(all, r.duration/3)
	})
	tracks.Go(func() { r.track(all, 2, upTo(200*time.Millisecond, time.Second), r.networkMoves()) })
	tracks.Go(func() { r.track(all, 3, upTo(time.Second, 4*time.Second), r.groundMoves()) })
	tracks.Wait()
	r.figures.note("storm", time.Since(began).Round(time.Second).String())
}

// strike is the last blow, and the one that no chance lets pass by: a server that
// takes no upload, until the living sidecar has said that it met it.
func (r *run) strike() {
	r.t.Helper()
	r.network.mend()
	r.server.fault(sandbox.Fault{
		Step: sandbox.StepUpload, Kind: sandbox.FaultStatus, Code: http.StatusServiceUnavailable, RetryAfter: sandbox.Duration(time.Second),
	})
	before := r.met(upload.ServerBusy)
	ctx, cancel := context.WithTimeout(r.t.Context(), drainPatience)
	defer cancel()
	r.writers.another(ctx, r.duration)
	for r.met(upload.ServerBusy) == before {
		if !wait(ctx, 100*time.Millisecond) {
			r.t.Errorf("the sidecar met no fault of the server at all: the storm does not reach it\n%s", r.sidecar.tail())
			return
		}
	}
}

// betweenKills is mostly too short for anything but the first steps, now and then
// long enough for a file's whole way, and rarely for finding out what was lost.
func betweenKills(rng *rand.Rand) time.Duration {
	if rng.IntN(80) == 0 {
		return 10 * time.Second // longer than UNKNOWN_GRACE: what was lost is sent again
	}
	if rng.IntN(10) < 7 {
		return upTo(20*time.Millisecond, 400*time.Millisecond)(rng)
	}
	return upTo(1200*time.Millisecond, 2500*time.Millisecond)(rng)
}

func upTo(least, most time.Duration) func(*rand.Rand) time.Duration {
	return func(rng *rand.Rand) time.Duration { return least + time.Duration(rng.Int64N(int64(most-least))) }
}

// wait waits for d; false: ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// drain waits until every file has come to its end, with all mended.
func (r *run) drain() {
	r.t.Helper()
	r.network.mend()
	r.server.heal()
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.t.Context(), drainPatience)
	defer cancel()
	var left string
	for {
		files, waiting := r.ground.waiting(), r.sidecar.backlog(ctx)
		if len(files) == 0 && waiting == 0 {
			break
		}
		left = fmt.Sprintf("%d files in the watched directories (%v), %d uploads open", len(files), files[:min(3, len(files))], waiting)
		if !wait(ctx, 100*time.Millisecond) {
			r.t.Errorf("with all mended, not everything came to its end within %s: %s\n%s", drainPatience, left, r.sidecar.tail())
			break
		}
	}
	r.figures.note("drained in", time.Since(began).Round(time.Millisecond).String())
	r.sidecar.finish()
}
