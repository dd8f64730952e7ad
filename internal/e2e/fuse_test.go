package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/hqms-sidecar/hqms-sidecar/internal/exporter"
)

// mountPassing mounts a FUSE file system that passes everything on to a
// directory of its own. It gives the directory as this machine sees it, and as
// the server of such a share does: what is written there no event tells of, and
// attributes may be seen late.
func mountPassing(t *testing.T) (share, server string) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil || os.Geteuid() != 0 {
		t.Skipf("mounting needs root and /dev/fuse (%v)", err)
	}
	base := t.TempDir()
	share, server = filepath.Join(base, "share"), filepath.Join(base, "server")
	for _, d := range []string{share, server} {
		check(t, os.Mkdir(d, 0o755))
	}
	root, err := fs.NewLoopbackRoot(server)
	check(t, err)
	remembered := 300 * time.Millisecond
	mount, err := fs.Mount(share, root, &fs.Options{
		AttrTimeout: &remembered, EntryTimeout: &remembered,
		MountOptions: fuse.MountOptions{FsName: "passing", Name: "passing", DirectMountStrict: true},
	})
	check(t, err)
	t.Cleanup(func() {
		if err := mount.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return share, server
}

// TestOnANetworkFileSystemEveryFileIsTakenAndNoneInPart: a real FUSE mount, with
// exporters on this machine and on others of which no event tells.
func TestOnANetworkFileSystemEveryFileIsTakenAndNoneInPart(t *testing.T) {
	t.Parallel()
	share, there := mountPassing(t)
	everyFileIsTakenFrom(t, share, there, "fuse")
}

// TestOnNFSEveryFileIsTakenAndNoneInPart: a real NFS mount and the directory its
// server exports. Most kernels of build machines have no NFS; tools/e2e-nfs.sh
// runs this in a virtual machine that has.
func TestOnNFSEveryFileIsTakenAndNoneInPart(t *testing.T) {
	t.Parallel()
	share, there := os.Getenv("HQMS_NFS_SHARE"), os.Getenv("HQMS_NFS_SERVER")
	if share == "" || there == "" {
		t.Skip("HQMS_NFS_SHARE and HQMS_NFS_SERVER do not name a mount and what it exports: make e2e-nfs")
	}
	everyFileIsTakenFrom(t, share, there, "nfs")
}

// everyFileIsTakenFrom lets all manners of exporters write into a share, and
// into the directory behind it, of which no event tells.
func everyFileIsTakenFrom(t *testing.T, share, there, fileSystem string) {
	t.Helper()
	srv := newServer(t)
	r := newRigAt(t, srv, share, "", "QUIET_PERIOD=1s")
	r.start()
	digests := map[string]string{}
	var mu sync.Mutex
	var writing sync.WaitGroup
	for where, dir := range map[string]string{"here": share, "elsewhere": there} {
		for n, manner := range []exporter.Manner{exporter.InOneGo, exporter.Renamed, exporter.Slowly, exporter.Reopened} {
			for again := range 3 {
				content := fileOf(t, "flu", 20, 0)
				writing.Go(func() {
					name := fmt.Sprintf("flu_%s_%d_%d.csv", where, n, again)
					if err := exporter.Put(context.Background(), dir, name, content, manner, 20*time.Millisecond); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					digests[name] = digestOf(content)
				})
			}
		}
	}
	writing.Wait()
	for name, digest := range digests {
		u := r.until(name, "is accepted", func(u row) bool { return u.State == "retired" && u.Verdict == "accepted" })
		if u.Digest != digest {
			t.Errorf("%s was sent as %s, written was %s", name, u.Digest, digest)
		}
		r.mustBeOnlyAt(u, digest, "archive")
		srv.mustHave(digest, 1, 1)
	}
	var status struct {
		Channels []struct {
			Name, Watching string
			WriterProbe    string `json:"writer_probe"`
			Directory      struct {
				FileSystem string `json:"file_system"`
				Network    bool
			}
		}
	}
	r.call("GET", "/status", nil, &status)
	for _, c := range status.Channels {
		if c.Name == "flu" && (!c.Directory.Network || c.Directory.FileSystem != fileSystem || c.Watching != "rescans" || c.WriterProbe == "works") {
			t.Errorf("the status says %+v", c)
		}
	}
}
