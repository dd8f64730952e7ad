package sabotage

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/app"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
)

// The orders, as variables of the environment.
const (
	// CrashEnv makes a sidecar that kills itself, as kill -9 does, just before its
	// k-th operation on the journal or on files: "journal:k" or "files:k".
	CrashEnv = "E2E_CRASH"
	// FullEnv makes a sidecar whose disk is full for FullFor, from the k-th
	// operation on that would take space: "k".
	FullEnv = "E2E_FULL"
)

// The lines on which the saboteur says where it struck.
const (
	CrashedAt = "CRASHED AT "
	FullAt    = "DISK IS FULL AT "
)

// FullFor is how long the disk stays full.
const FullFor = 150 * time.Millisecond

// Main runs the sidecar that the environment orders and gives its exit code;
// ordered is false where it orders none.
func Main() (code int, ordered bool) {
	switch {
	case os.Getenv(CrashEnv) != "":
		return crashing(), true
	case os.Getenv(FullEnv) != "":
		return cramped(), true
	}
	return 0, false
}

func run(seams app.Seams) int {
	environ := slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, CrashEnv+"=") || strings.HasPrefix(s, FullEnv+"=")
	})
	return app.Main(app.Call{Environ: environ, Stdout: os.Stdout, Stderr: os.Stderr, Seams: seams})
}

func crashing() int {
	which, number, _ := strings.Cut(os.Getenv(CrashEnv), ":")
	at, _ := strconv.ParseInt(number, 10, 64)
	var count atomic.Int64
	strike := func(kind, what string) {
		if kind != which || count.Add(1) < at {
			return
		}
		_, _ = os.Stdout.WriteString("\n" + CrashedAt + what + "\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it takes effect
	}
	return run(app.Seams{
		Journal: func(op string) error { strike("journal", op); return nil },
		Files:   func(op durable.Op, name string) error { strike("files", string(op)+" "+name); return nil },
	})
}

// disk fails operations that take space, from the at-th on and for FullFor.
type disk struct {
	at int64

	mu    sync.Mutex
	count int64
	until time.Time
}

func (d *disk) strike(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	if d.count == d.at {
		d.until = time.Now().Add(FullFor)
		_, _ = os.Stdout.WriteString("\n" + FullAt + what + "\n")
	}
	if d.count >= d.at && time.Now().Before(d.until) {
		return syscall.ENOSPC
	}
	return nil
}

func cramped() int {
	at, _ := strconv.ParseInt(os.Getenv(FullEnv), 10, 64)
	d := &disk{at: at}
	taking := []durable.Op{
		durable.OpCreate, durable.OpWrite, durable.OpSync, durable.OpRename, durable.OpRenameNoReplace, durable.OpLink, durable.OpMkdir, durable.OpSyncDir, durable.OpClose,
	}
	return run(app.Seams{Files: func(op durable.Op, name string) error {
		if !slices.Contains(taking, op) {
			return nil
		}
		return d.strike(string(op) + " " + name)
	}})
}
