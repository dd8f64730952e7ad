package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// installed reports whether a tool to compare with is there; one that is not is
// left out of the table.
func installed(t *testing.T, tool string) bool {
	t.Helper()
	_, err := exec.LookPath(tool)
	if err != nil {
		t.Logf("%s is not installed: nothing is compared with it", tool)
	}
	return err == nil
}

// run runs a tool to its end and gives its time by the clock and on processors.
func run(ctx context.Context, t *testing.T, name string, args ...string) (wall, cpu time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(ctx, name, args...)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// webdav serves an empty directory with rclone, and gives its URL.
func webdav(ctx context.Context, t *testing.T) string {
	t.Helper()
	addr := freeAddr(ctx, t)
	cmd := exec.CommandContext(ctx, "rclone", "serve", "webdav", t.TempDir(), "--addr", addr)
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	answers(ctx, t, "http://"+addr+"/", ended)
	return "http://" + addr
}

// byRclone is how long rclone takes to copy n files like those of the drain to a
// WebDAV server on this machine, eight at a time. It checks nothing, packs
// nothing, asks for no verdict, and makes nothing durable.
func (b *bench) byRclone(ctx context.Context, t *testing.T, n, lanes int) time.Duration {
	t.Helper()
	if !installed(t, "rclone") {
		return 0
	}
	url, dir := webdav(ctx, t), t.TempDir()
	for i := range n {
		must(t, os.WriteFile(filepath.Join(dir, fileName(i)), b.small(t, uint64(i)), 0o640))
	}
	wall, _ := run(ctx, t, "rclone", "copy", dir, ":webdav:", "--webdav-url", url, "--transfers", strconv.Itoa(lanes), "--config", "/dev/null")
	return wall
}

// tools packs one file with whatever people have, and with the pack stage at each
// of three levels.
func (b *bench) tools(ctx context.Context, t *testing.T) {
	dir := home(t)
	u := b.source(t, dir, feed{"flu", "flu", "flu-2.6", 330}, setting(t, "HQMS_BENCH_PASS", passed)/3)
	file, mb := filepath.Join(dir, "flu", u.Filename), float64(u.Source.Size)/1e6
	out := filepath.Join(dir, "packed")
	gzip := time.Duration(0)
	for _, tool := range []struct{ name, line string }{
		{"gzip", "gzip -6 -c %s > %s"},
		{"pigz", "pigz -6 -c %s > %s"},
		{"zstd", "zstd -3 -q -c %s > %s"},
		{"zstd", "zstd -19 -q -c %s > %s"},
		{"7z", "7z a -bd -tzip -mx=5 -so packed %s > %s"},
	} {
		if !installed(t, tool.name) {
			continue
		}
		wall, cpu := run(ctx, t, "sh", "-c", fmt.Sprintf(tool.line, file, out))
		if tool.name == "gzip" {
			gzip = wall
		}
		b.packed(t, strings.TrimSuffix(tool.line, " > %s"), mb, out, wall, cpu, gzip)
	}
	for _, level := range []int{1, 6, 9} {
		spool, err := durable.Open(filepath.Join(dir, "state"))
		must(t, err)
		s := pack.New(pack.Options{Spool: spool, Level: func(upload.Channel, int64) int { return level }})
		p, err := s.Begin(ctx, u)
		must(t, err)
		w, began := workshop{t: t, dir: dir, u: u}, time.Now()
		before := spent(t)
		w.copy(p)
		_, _, err = p.Finish()
		must(t, err)
		b.packed(t, fmt.Sprintf("our pack stage, level %d, both digests, durable", level), mb,
			filepath.Join(dir, "state", string(u.ID)+".zip.part"), time.Since(began), spent(t)-before, gzip)
		p.Abort()
		must(t, spool.Close())
	}
}

func (b *bench) packed(t *testing.T, what string, mb float64, out string, wall, cpu, gzip time.Duration) {
	t.Helper()
	info, err := os.Stat(out)
	must(t, err)
	what = strings.ReplaceAll(what, "%s", "FILE")
	b.note(figure{
		Part: "tools", What: fmt.Sprintf("%s: %.1f MB → %.2f MB, %.2f CPU-s", what, mb, float64(info.Size())/1e6, cpu.Seconds()),
		Value: mb / wall.Seconds(), Unit: "MB/s", Ratio: float64(gzip) / float64(wall), Yardstick: "× gzip -6",
	})
}
