package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/sabotage"
)

// TestAFullDiskAtAnyOperationPassesWithoutLossOrRepetition lets the disk be full
// for a while from each operation that takes space, in turn.
func TestAFullDiskAtAnyOperationPassesWithoutLossOrRepetition(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for label, c := range map[string]crashCase{
		"accepted": {name: "flu_%d.csv", verdict: "accepted", place: "archive", received: 1, accepted: 1},
		"rejected": {name: "flu_reject_%d.csv", verdict: "rejected", place: "quarantine", received: 1},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			points := fullEverywhere(t, srv, c)
			t.Logf("full at %d operations", points)
			if points < 8 {
				t.Errorf("only %d points: the hook is not called", points)
			}
		})
	}
}

// fullEverywhere goes through the operations, several at a time: most of each run
// is waiting for the next look.
func fullEverywhere(t *testing.T, srv *server, c crashCase) int64 {
	const abreast, stride = 4, 2
	var next, through, points atomic.Int64
	t.Run("points", func(t *testing.T) {
		for lane := range abreast {
			t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
				t.Parallel()
				for through.Load() == 0 && !t.Failed() {
					k := int((next.Add(1)-1)*stride) + 1
					t.Run(fmt.Sprint(k), func(t *testing.T) {
						if fullOnce(t, srv, c, k) {
							points.Add(1)
						} else {
							through.Add(1)
						}
					})
				}
			})
		}
	})
	return points.Load()
}

func fullOnce(t *testing.T, srv *server, c crashCase, k int) (struck bool) {
	r := newRig(t, srv, "HQMS_WATCH_DIR=", "HQMS_ACCOUNT=", "HQMS_PASSWORD=", "HQMS_SERVER_URL=", "CONCURRENCY=1", "RESCAN_INTERVAL=100ms", "UNKNOWN_GRACE=50ms")
	name := fmt.Sprintf(c.name, k)
	digest := drop(t, r.flu, name, fileOf(t, "flu", 2, 0))
	r.proc = process.Start(t, saboteur(t, k%(2*ownEvery) == 1), nil, r.environ(sabotage.FullEnv+"="+fmt.Sprint(k)))
	r.listening()
	if r.proc.Ended() { // the disk was full before anything worked; as Kubernetes does
		r.start()
	}
	u := r.endsWith(name, c.verdict)
	srv.mustHave(digest, c.received, c.accepted)
	r.mustBeOnlyAt(u, digest, c.place)
	r.mustHaveEmptySpool()
	return strings.Contains(r.proc.Out.String(), sabotage.FullAt)
}

// TestAFullStateDirStopsTakingKeepsReportingAndRecovers fills a small file
// system for good: first to the reserve, then to the last byte.
func TestAFullStateDirStopsTakingKeepsReportingAndRecovers(t *testing.T) {
	t.Parallel()
	state, ok := durabletest.Tmpfs(t, "size=32m")
	if !ok {
		t.Skip("needs the right to mount a file system")
	}
	srv := newServer(t)
	r := newRigAt(t, srv, "", state, "DISK_RESERVE=8MiB", "CONCURRENCY=2")
	r.start()
	drop(t, r.flu, "flu_before.csv", good(t))
	r.endsWith("flu_before.csv", "accepted")

	ballast := filepath.Join(state, "ballast")
	fill(t, ballast, 6<<20)
	notReady := func(what string) {
		t.Helper()
		eventually(t, "not ready: "+what, func() bool {
			var problem string
			return r.call("GET", "/readyz", nil, &problem) == 503 && strings.Contains(problem, "disk_full")
		})
		if code := r.call("GET", "/livez", nil, nil); code != 200 {
			t.Errorf("%s: livez answers %d: a full disk is no reason to be killed", what, code)
		}
	}
	notReady("down to the reserve")
	digests := map[string]string{}
	for n := range 20 {
		name := fmt.Sprintf("flu_waits_%d.csv", n)
		digests[name] = drop(t, r.flu, name, good(t))
	}
	u := r.until("flu_waits_0.csv", "is held for want of space", func(u row) bool { return u.Reason == "disk_full" })
	if u.State != "settled" {
		t.Errorf("held in state %s, want settled: nothing may be packed into the reserve", u.State)
	}
	if u.Remedy == nil || u.Remedy.Zh == "" {
		t.Errorf("nobody is told what to do")
	}

	fill(t, ballast, 0)
	for n := range 20 {
		name := fmt.Sprintf("flu_full_%d.csv", n)
		digests[name] = drop(t, r.flu, name, good(t))
	}
	eventually(t, "the journal is full too", func() bool {
		return strings.Contains(r.proc.Out.String(), "journal cannot be told") || strings.Contains(r.proc.Out.String(), "journal does not answer")
	})
	notReady("down to the last byte")
	for _, path := range []string{"/status", "/uploads", "/channels", "/metrics", "/uploads/" + u.ID} {
		if code := r.call("GET", path, nil, nil); code != 200 {
			t.Errorf("GET %s answers %d on a full disk", path, code)
		}
	}
	if n := len(r.places(digests["flu_full_0.csv"])); n != 1 {
		t.Errorf("an original is at %d places on a full disk", n)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready again", func() bool { return r.call("GET", "/readyz", nil, nil) == 200 })
	for name, digest := range digests {
		u := r.endsWith(name, "accepted")
		r.mustBeOnlyAt(u, digest, "archive")
		srv.mustHave(digest, 1, 1)
	}
	r.mustHaveEmptySpool()
	r.mustRun()
}

// fill grows a file until no more than leave bytes are free.
func fill(t *testing.T, name string, leave int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, chunk := range []int{64 << 10, 4 << 10, 1 << 9, 1} {
		for {
			var fs syscall.Statfs_t
			if err := syscall.Fstatfs(int(f.Fd()), &fs); err != nil {
				t.Fatal(err)
			}
			if int64(fs.Bavail)*fs.Bsize < leave+int64(chunk) && leave > 0 {
				break
			}
			_, err := f.Write(bytes.Repeat([]byte{0}, chunk))
			if errors.Is(err, syscall.ENOSPC) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if leave > 0 && chunk < 4<<10 {
				break
			}
		}
	}
}
