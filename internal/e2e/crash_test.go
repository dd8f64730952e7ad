package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/sabotage"
)

// startCrashing starts the sidecar that dies at the given operation: the fast
// one, or the tests' own binary, which may have the race detector in it.
func (r *rig) startCrashing(at string, own bool) {
	r.t.Helper()
	r.proc = process.Start(r.t, saboteur(r.t, own), nil, r.environ(sabotage.CrashEnv+"="+at))
}

// saboteur is a program with a saboteur in it.
func saboteur(t *testing.T, own bool) string {
	t.Helper()
	if !own {
		return filepath.Join(binDir, "test", "sidecar")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// crashCase is one way of a file, to be interrupted everywhere.
type crashCase struct {
	name               string // pattern of the file's name
	rows, bad          int    // 0 rows: 2
	verdict, place     string
	received, accepted int
	stride             int // every so many file operations; journal operations always all
	set                []string
	between            func(t *testing.T, r *rig, nth int64) // after the nth kill, before the next start; nil: nothing
}

// ownEvery is how many kills there are to one of the tests' own binary.
const ownEvery = 10

// killed counts the points at which a sidecar was killed, in all tests.
var killed atomic.Int64

// leastKilled is how many there are in a whole run at least.
const leastKilled = 300

func TestAfterAKillAtAnyOperationAFileComesToItsVerdictOnceAndIsInOnePlace(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for verdict, c := range map[string]crashCase{
		"accepted": {name: "flu_%s.csv", verdict: "accepted", place: "archive", received: 1, accepted: 1, stride: 1},
		// A packed copy that is not small has a file at once.
		"large":    {name: "flu_%s.csv", rows: 300, verdict: "accepted", place: "archive", received: 1, accepted: 1, stride: 2},
		"rejected": {name: "flu_reject_%s.csv", verdict: "rejected", place: "quarantine", received: 1, stride: 3},
		"invalid":  {name: "flu_%s.csv", bad: 1, verdict: "invalid", place: "quarantine", stride: 3},
	} {
		for kind, stride := range map[string]int{"journal": 1, "files": c.stride} {
			t.Run(verdict+" "+kind, func(t *testing.T) {
				t.Parallel()
				everyPoint(t, srv, c, kind, stride)
			})
		}
	}
}

// everyPoint kills at the first operation, the next, and so on, until the way
// is gone to its end without; a few runs at a time.
func everyPoint(t *testing.T, srv *server, c crashCase, kind string, stride int) {
	const abreast, enough = 2, 3
	var next, through, points, failed atomic.Int64
	t.Run("points", func(t *testing.T) {
		for lane := range abreast {
			t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
				t.Parallel()
				for through.Load() < enough && failed.Load() < enough {
					nth := next.Add(1) - 1
					k := nth*int64(stride) + 1
					passed := t.Run(fmt.Sprint(k), func(t *testing.T) {
						if crashOnce(t, srv, c, fmt.Sprintf("%s:%d", kind, k), nth) {
							points.Add(1)
							killed.Add(1)
						} else {
							through.Add(1)
						}
					})
					if !passed {
						failed.Add(1)
					}
				}
			})
		}
	})
	t.Logf("killed at %d %s operations (every %d.)", points.Load(), kind, stride)
	if points.Load() < 10 {
		t.Errorf("only %d points: the hook is not called", points.Load())
	}
}

// crashOnce lets a file go its way with a kill at one operation, starts the
// built sidecar on what is left, and looks at what came of it. It reports
// whether the kill came at all.
func crashOnce(t *testing.T, srv *server, c crashCase, at string, nth int64) (crashed bool) {
	r := newRig(t, srv, append([]string{
		"HQMS_WATCH_DIR=", "HQMS_ACCOUNT=", "HQMS_PASSWORD=", "HQMS_SERVER_URL=", "CONCURRENCY=1", "RESCAN_INTERVAL=100ms", "UNKNOWN_GRACE=50ms",
	}, c.set...)...)
	name := fmt.Sprintf(c.name, strings.ReplaceAll(at, ":", "_"))
	digest := drop(t, r.flu, name, fileOf(t, "flu", cmp.Or(c.rows, 2), c.bad))
	r.startCrashing(at, nth%ownEvery == 0)
	eventually(t, "it dies or is done", func() bool {
		return r.proc.Ended() || strings.Contains(r.proc.Out.String(), `"state":"retired"`)
	})
	r.proc.Kill()
	if c.between != nil {
		c.between(t, r, nth)
	}
	_, where, crashed := strings.Cut(r.proc.Out.String(), sabotage.CrashedAt)
	defer func() {
		if t.Failed() {
			t.Logf("killed at %s", strings.TrimSpace(where))
		}
	}()
	r.start()
	u := r.endsWith(name, c.verdict)
	srv.mustHave(digest, c.received, c.accepted)
	if c.place == "deleted" {
		if left := r.places(digest); len(left) > 0 {
			t.Errorf("left at %v", left)
		}
	} else {
		r.mustBeOnlyAt(u, digest, c.place)
	}
	r.mustHaveEmptySpool()
	if c.place != "watch" {
		r.mustBeTidy(u)
	}
	if n := len(r.uploads(name)); n != 1 {
		t.Errorf("%d uploads of one content", n)
	}
	return crashed
}

func TestKilledAgainAndAgainAFileStillComesToItsVerdictOnce(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for kind, stride := range map[string]int{"journal": 3, "files": 5} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, srv, "HQMS_WATCH_DIR=", "HQMS_ACCOUNT=", "HQMS_PASSWORD=", "HQMS_SERVER_URL=", "CONCURRENCY=1", "RESCAN_INTERVAL=100ms", "UNKNOWN_GRACE=50ms")
			digest := drop(t, r.flu, "flu_1.csv", good(t))
			kills := 0
			for k := stride; !r.cameThrough(fmt.Sprintf("%s:%d", kind, k)); k += stride {
				kills++
			}
			t.Logf("killed %d times on its way", kills)
			r.start()
			u := r.endsWith("flu_1.csv", "accepted")
			srv.mustHave(digest, 1, 1)
			r.mustBeOnlyAt(u, digest, "archive")
			r.mustHaveEmptySpool()
			r.mustBeTidy(u)
		})
	}
}

// cameThrough runs the crashing sidecar and reports whether the file came to
// its end, crash or not.
func (r *rig) cameThrough(at string) bool {
	r.t.Helper()
	r.startCrashing(at, false)
	done := func() bool { return strings.Contains(r.proc.Out.String(), `"state":"retired"`) }
	eventually(r.t, "it dies or is done", func() bool { return r.proc.Ended() || done() })
	r.proc.Kill()
	return done()
}

// mustBeTidy fails when something of ours was left in the watched directory, or
// a quarantined original lies without its result.
func (r *rig) mustBeTidy(u row) {
	r.t.Helper()
	left, err := os.ReadDir(r.flu)
	left = slices.DeleteFunc(left, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".hqms-canary-") }) // swept when an hour old
	if err != nil || len(left) > 0 {
		r.t.Errorf("left in the watched directory: %v, %v", left, err)
	}
	if u.Place != "quarantine" {
		return
	}
	for _, end := range []string{".result.json", ".result.txt"} {
		if b, err := os.ReadFile(filepath.Join(r.state, u.Path+end)); err != nil || len(b) == 0 {
			r.t.Errorf("beside the quarantined original: %v", err)
		}
	}
}
