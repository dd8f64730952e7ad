package durabletest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
)

// ErrCrashed is what every operation says from the crash on.
var ErrCrashed = errors.New("crashed here")

// maxPoints ends an enumeration that would never end.
const maxPoints = 2000

// Crash lets the k-th operation that passes its Hook fail, and all after it.
// Give the same Hook to every Dir of one simulated process.
type Crash struct {
	mu    sync.Mutex
	at    int
	count int
	where string
}

// Hook is for durable.WithHook.
func (c *Crash) Hook(op durable.Op, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if c.count < c.at {
		return nil
	}
	if c.count == c.at {
		c.where = fmt.Sprintf("operation %d, %s %s", c.count, op, name)
	}
	return ErrCrashed
}

// Where tells at which operation it crashed; empty: it ran through.
func (c *Crash) Where() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.where
}

// EveryCrash calls scenario once for every crash point: with a Crash at the
// first operation, the second, and so on, until one runs through. The number of
// points is logged and returned.
func EveryCrash(t *testing.T, scenario func(t *testing.T, c *Crash)) int {
	t.Helper()
	for k := 1; k <= maxPoints; k++ {
		c := &Crash{at: k}
		if !t.Run(fmt.Sprintf("crash_%03d", k), func(t *testing.T) { scenario(t, c) }) {
			t.Logf("failed after a crash at %s", c.Where())
			return k
		}
		if c.Where() == "" {
			t.Logf("%d crash points", k-1)
			return k - 1
		}
	}
	t.Fatalf("no end after %d crash points", maxPoints)
	return maxPoints
}

// Failing lets every operation op fail with err.
func Failing(op durable.Op, err error) durable.Hook {
	return func(o durable.Op, _ string) error {
		if o == op {
			return err
		}
		return nil
	}
}

// Tmpfs mounts a file system of its own, with mount options such as "size=1m",
// and unmounts it when the test ends. Without the right to mount it reports
// false, and the test must break its operations by a Hook instead.
func Tmpfs(t *testing.T, options string) (path string, ok bool) {
	t.Helper()
	path = t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, options); err != nil {
		return "", false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return path, true
}

// ReadOnly remounts a file system made by Tmpfs read-only, until the test ends.
func ReadOnly(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", path, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatalf("remount read-only: %v", err)
	}
}

// Dir opens the directory at path, or ends the test.
func Dir(t *testing.T, path string, opts ...durable.Option) *durable.Dir {
	t.Helper()
	d, err := durable.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Write puts a file on the disk, past the package under test.
func Write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Read is a file's content; "" if there is none.
func Read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}
