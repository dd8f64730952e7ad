//go:build !unix

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockDir opens the lock file; where there is no flock, nothing stops a second process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	return f, nil
}
