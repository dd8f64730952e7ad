package e2e

import (
	"testing"

	seen "github.com/hqms-sidecar/hqms-sidecar/internal/e2e/observer"
)

// observer is the early-delete detector, here for every test of the package.
type observer struct{ *seen.Observer }

func observe(t *testing.T, state string, dirs ...string) *observer {
	t.Helper()
	return &observer{seen.Watch(t, state, dirs...)}
}

// mine says that the test itself takes the file away.
func (o *observer) mine(name string) { o.Mine(name) }
