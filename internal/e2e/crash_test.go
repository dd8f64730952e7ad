package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/app"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
)

// crashEnv makes the test's own binary a sidecar that kills itself, as kill -9
// does, just before its k-th operation on the journal or on files: "journal:k"
// or "files:k".
const crashEnv = "E2E_CRASH"

// crashedAt marks the line on which a dying sidecar says where it is.
const crashedAt = "CRASHED AT "

func crashingSidecar() int {
	which, number, _ := strings.Cut(os.Getenv(crashEnv), ":")
	at, _ := strconv.ParseInt(number, 10, 64)
	var count atomic.Int64
	strike := func(kind, what string) {
		if kind != which || count.Add(1) < at {
			return
		}
		_, _ = os.Stdout.WriteString("\n" + crashedAt + what + "\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it takes effect
	}
	environ := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, crashEnv+"=") })
	return app.Main(app.Call{
		Environ: environ, Stdout: os.Stdout, Stderr: os.Stderr,
		Seams: app.Seams{
			Journal: func(op string) error { strike("journal", op); return nil },
			Files:   func(op durable.Op, name string) error { strike("files", string(op)+" "+name); return nil },
		},
	})
}

// startCrashing starts the sidecar that dies at the given operation.
func (r *rig) startCrashing(at string) {
	r.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	r.proc = start(r.t, exe, nil, r.environ(crashEnv+"="+at))
}

// crashCase is one way of a file, to be interrupted everywhere.
type crashCase struct {
	name               string // pattern of the file's name
	bad                int
	verdict, place     string
	received, accepted int
	stride             int // every so many file operations; journal operations always all
	set                []string
	between            func(t *testing.T, r *rig, k int64) // after the kill, before the next start; nil: nothing
}

func TestAfterAKillAtAnyOperationAFileComesToItsVerdictOnceAndIsInOnePlace(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for verdict, c := range map[string]crashCase{
		"accepted": {name: "flu_%s.csv", verdict: "accepted", place: "archive", received: 1, accepted: 1, stride: 1},
		"rejected": {name: "flu_reject_%s.csv", verdict: "rejected", place: "quarantine", received: 1, stride: 3},
		"invalid":  {name: "flu_%s.csv", bad: 1, verdict: "invalid", place: "quarantine", stride: 3},
	} {
		for kind, stride := range map[string]int{"journal": 1, "files": c.stride * thinned} {
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
					k := (next.Add(1)-1)*int64(stride) + 1
					passed := t.Run(fmt.Sprint(k), func(t *testing.T) {
						if crashOnce(t, srv, c, fmt.Sprintf("%s:%d", kind, k)) {
							points.Add(1)
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
func crashOnce(t *testing.T, srv *server, c crashCase, at string) (crashed bool) {
	r := newRig(t, srv, append([]string{
		"HQMS_WATCH_DIR=", "HQMS_ACCOUNT=", "HQMS_PASSWORD=", "HQMS_SERVER_URL=", "CONCURRENCY=1", "RESCAN_INTERVAL=100ms", "UNKNOWN_GRACE=50ms",
	}, c.set...)...)
	name := fmt.Sprintf(c.name, strings.ReplaceAll(at, ":", "_"))
	digest := drop(t, r.flu, name, fileOf(t, "flu", 2, c.bad))
	r.startCrashing(at)
	eventually(t, "it dies or is done", func() bool {
		return r.proc.ended() || strings.Contains(r.proc.out.String(), `"state":"retired"`)
	})
	r.proc.kill()
	if c.between != nil {
		_, number, _ := strings.Cut(at, ":")
		k, _ := strconv.ParseInt(number, 10, 64)
		c.between(t, r, k)
	}
	_, where, crashed := strings.Cut(r.proc.out.String(), crashedAt)
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
	r.startCrashing(at)
	done := func() bool { return strings.Contains(r.proc.out.String(), `"state":"retired"`) }
	eventually(r.t, "it dies or is done", func() bool { return r.proc.ended() || done() })
	r.proc.kill()
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
