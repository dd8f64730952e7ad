package replicas

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/app"
	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// leaseEnv makes the test's own binary a sidecar with this lease.
const leaseEnv = "REPLICA_LEASE"

// patience is used up by failing tests alone.
const patience = 90 * time.Second

func TestMain(m *testing.M) {
	if text := os.Getenv(leaseEnv); text != "" {
		lease, err := time.ParseDuration(text)
		if err != nil {
			panic(err)
		}
		var environ []string
		for _, e := range os.Environ() {
			if !strings.HasPrefix(e, leaseEnv+"=") {
				environ = append(environ, e)
			}
		}
		os.Exit(app.Main(app.Call{Environ: environ, Stdout: os.Stdout, Stderr: os.Stderr, Seams: app.Seams{Lease: lease}}))
	}
	os.Exit(run(m))
}

var sandboxBin string

func run(m *testing.M) int {
	bin, release, err := process.Binaries(map[string]string{"": "cmd/..."})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer release()
	sandboxBin = filepath.Join(bin, "hqms-sandbox")
	return m.Run()
}

// pause waits, or until the test is over.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
