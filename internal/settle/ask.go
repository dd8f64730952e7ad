package settle

import (
	"os"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Probe asks whether anybody has the file at path open for writing, as the stage
// does when it settles one. It is for the check command.
func Probe(path string) (Writer, Doubt) {
	info, err := os.Lstat(path)
	if err != nil {
		return Unknown, Moved
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Unknown, NoLeases
	}
	return probeSystem(path, upload.Identity{Inode: st.Ino})
}
