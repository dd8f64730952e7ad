package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var (
	library = sync.OnceValues(func() (*standard.Library, error) { return standard.Load(nil) })
	seeds   atomic.Uint64
)

// fileOf is the content of a file of the kind on channel flu, never twice the same.
func fileOf(t *testing.T, kind upload.Kind, rows, bad int) []byte {
	t.Helper()
	return made(t, synthetic.Options{Channel: upload.Flu, Kind: kind, Rows: rows, BadRows: bad})
}

// hqmsFile is a good file of channel hqms.
func hqmsFile(t *testing.T) []byte {
	t.Helper()
	return made(t, synthetic.Options{Channel: upload.HQMS, Kind: "hqms", Layout: "hqms-2020", Rows: 3})
}

func made(t *testing.T, o synthetic.Options) []byte {
	t.Helper()
	lib, err := library()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	o.Library, o.Seed = lib, seeds.Add(1)<<32|uint64(time.Now().UnixNano()&0xffffffff)
	if err := synthetic.File(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// good is the content of a file that is accepted.
func good(t *testing.T) []byte {
	t.Helper()
	return fileOf(t, "flu", 3, 0)
}

// drop puts a file into the directory by renaming, as a careful exporter does.
func drop(t *testing.T, dir, name string, content []byte) (digest string) {
	t.Helper()
	part := filepath.Join(dir, "."+name[:min(len(name), 200)]+".tmp")
	if err := os.WriteFile(part, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	return digestOf(content)
}
