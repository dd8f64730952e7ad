package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// nobody is the user the sidecar runs as where we are root, so that modes
	// mean something to it.
	nobody = 65534
	// diskSize is that of the sidecar's own disk.
	diskSize = "size=384m"
)

// ground is what the sidecar stands on: its directories, on disks of their own
// where we may make them.
type ground struct {
	t                *testing.T
	base             string
	flu, hqms, state string
	secrets          string
	bin              string
	root             bool // we are root: the sidecar runs as nobody, modes can be taken away
	mounted          bool // the directories are disks of their own

	// writing is held for reading while a file is written, and as a whole while
	// the directory is read-only: an exporter's failures are not the subject.
	writing sync.RWMutex

	mu     sync.Mutex
	bad    int       // things broken at this moment
	mended time.Time // the last time something was
}

func newGround(t *testing.T) *ground {
	t.Helper()
	base, err := os.MkdirTemp("", "hqms-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	g := &ground{t: t, base: base, root: os.Geteuid() == 0}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what is left: %s", base)
		} else {
			_ = os.RemoveAll(base)
		}
	})
	g.must(os.Chmod(base, 0o755))
	for _, d := range []struct {
		path *string
		name string
	}{{&g.flu, "flu"}, {&g.hqms, "hqms"}, {&g.state, "state"}, {&g.secrets, "secrets"}, {&g.bin, "bin"}} {
		*d.path = filepath.Join(base, d.name)
		g.must(os.Mkdir(*d.path, 0o755))
	}
	g.mount()
	if g.root {
		for _, d := range []string{g.flu, g.hqms, g.state} {
			g.must(os.Chown(d, nobody, nobody))
		}
	}
	g.programs()
	return g
}

func (g *ground) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// mount gives each directory a disk of its own, if we may.
func (g *ground) mount() {
	g.mounted = g.root
	for _, d := range []string{g.flu, g.hqms, g.state} {
		if !g.mounted {
			g.t.Log("not root: no full disk, no read-only and no forbidden directories")
			return
		}
		if err := syscall.Mount("chaos", d, "tmpfs", 0, diskSize); err != nil {
			g.t.Logf("no disks of our own (%v): no full disk and no read-only directory", err)
			g.mounted = false
			return
		}
		g.t.Cleanup(func() { g.unmount(d) })
	}
}

// unmount keeps what is on the disk when the test has failed.
func (g *ground) unmount(dir string) {
	if g.t.Failed() {
		keep := dir + ".kept"
		if out, err := exec.Command("cp", "-a", dir, keep).CombinedOutput(); err != nil {
			g.t.Logf("keep %s: %v %s", dir, err, out)
		}
	}
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		g.t.Logf("unmount %s: %v", dir, err)
	}
}

// programs puts the built programs, and this test as a sidecar by another clock,
// where nobody can run them.
func (g *ground) programs() {
	self, err := os.Executable()
	g.must(err)
	g.copyProgram(self, "hqms-sidecar-clocked")
	from := os.Getenv(binEnv)
	if from == "" {
		build := exec.Command("go", "build", "-o", g.bin+"/", "./cmd/...")
		build.Dir = filepath.Join("..", "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			g.t.Fatalf("build: %v\n%s", err, out)
		}
		return
	}
	for _, name := range []string{"hqms-sidecar", "hqms-sandbox"} {
		g.copyProgram(filepath.Join(from, name), name)
	}
}

func (g *ground) copyProgram(from, name string) {
	b, err := os.ReadFile(from)
	g.must(err)
	g.must(os.WriteFile(filepath.Join(g.bin, name), b, 0o755))
}

// waiting lists the files that the exporter finished and nobody has taken.
func (g *ground) waiting() []string {
	var left []string
	for _, d := range []string{g.flu, g.hqms} {
		entries, err := os.ReadDir(d)
		if err != nil {
			left = append(left, err.Error())
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				left = append(left, e.Name())
			}
		}
	}
	return left
}

// brokenSince reports whether anything of the ground has been broken since then.
func (g *ground) brokenSince(then time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bad > 0 || g.mended.After(then)
}

// breaking breaks something for a while.
func (g *ground) breaking(ctx context.Context, d time.Duration, breakIt, mend func() error) {
	g.mark(+1)
	if err := breakIt(); err != nil {
		g.t.Errorf("break: %v", err)
	}
	wait(ctx, d)
	if err := mend(); err != nil {
		g.t.Errorf("mend: %v", err)
	}
	g.mark(-1)
}

func (g *ground) mark(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bad += n
	if n < 0 {
		g.mended = time.Now()
	}
}

// fill takes the last byte of the sidecar's disk.
func (g *ground) fill() error {
	f, err := os.Create(filepath.Join(g.state, ".filler"))
	if err != nil {
		return err
	}
	piece := make([]byte, 1<<20)
	for len(piece) > 0 {
		if _, err = f.Write(piece); err != nil {
			piece = piece[:len(piece)/2]
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func (g *ground) free() error { return os.Remove(filepath.Join(g.state, ".filler")) }

// remount makes a directory's disk read-only, or writable again.
func (g *ground) remount(dir string, flags uintptr) error {
	var err error
	for range 50 { // somebody may have a file open for writing at this moment
		if err = syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); !errors.Is(err, syscall.EBUSY) {
			return err
		}
		wait(context.Background(), 20*time.Millisecond)
	}
	return err
}

// groundMoves break the ground, the secrets and the server.
func (r *run) groundMoves() []move {
	g := r.ground
	moves := []move{
		{"clock set", 3, r.sidecar.clock.jump},
		{"server away", 3, func(ctx context.Context, rng *rand.Rand) {
			r.server.away(ctx, upTo(200*time.Millisecond, 3*time.Second)(rng))
		}},
		{"password changed, server first", 1, func(ctx context.Context, rng *rand.Rand) { r.server.rotate(ctx, upTo(0, 2*time.Second)(rng), true) }},
		{"password changed, secret first", 1, func(ctx context.Context, rng *rand.Rand) { r.server.rotate(ctx, upTo(0, 2*time.Second)(rng), false) }},
	}
	if g.mounted {
		moves = append(
			moves,
			move{"disk full", 3, func(ctx context.Context, rng *rand.Rand) {
				g.breaking(ctx, upTo(500*time.Millisecond, 4*time.Second)(rng), g.fill, g.free)
			}},
			move{"directory read-only", 2, func(ctx context.Context, rng *rand.Rand) {
				d := upTo(200*time.Millisecond, 2*time.Second)(rng)
				g.writing.Lock()
				defer g.writing.Unlock()
				g.breaking(ctx, d, func() error { return g.remount(g.flu, syscall.MS_RDONLY) }, func() error { return g.remount(g.flu, 0) })
			}},
		)
	}
	if g.root {
		moves = append(moves, move{"directory forbidden", 3, func(ctx context.Context, rng *rand.Rand) {
			dirs := []string{g.flu, g.hqms, filepath.Join(g.state, "archive"), filepath.Join(g.state, "quarantine"), filepath.Join(g.state, "spool")}
			dir, mode := dirs[rng.IntN(len(dirs))], []os.FileMode{0, 0o555}[rng.IntN(2)]
			d := upTo(200*time.Millisecond, 2*time.Second)(rng)
			info, err := os.Stat(dir)
			if err != nil {
				return // nothing was put there yet
			}
			g.breaking(ctx, d, func() error { return os.Chmod(dir, mode) }, func() error { return os.Chmod(dir, info.Mode().Perm()) })
		}})
	}
	return moves
}
