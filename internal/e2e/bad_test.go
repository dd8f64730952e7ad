package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

func TestBadFilesEachGetAReasonAStateAndAPlaceAndAGoodOneGoesThrough(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	garbage := make([]byte, 1<<20)
	for i := range garbage {
		garbage[i] = byte(rand.Uint32())
	}
	header, _, _ := bytes.Cut(good(t), []byte("\n"))
	long := "flu_" + strings.Repeat("病", 82) + ".csv" // 254 bytes
	bad := map[string][]byte{
		"flu_empty.csv":        {},
		"flu_no_columns.csv":   []byte("\n\n\n"),
		"flu_nul.csv":          append(append(bytes.Clone(header), '\n'), make([]byte, 4096)...),
		"flu_one_line.csv":     bytes.Repeat([]byte("0123456789abcdef"), 200<<20/16),
		"flu_many_columns.csv": append(bytes.Repeat([]byte("c,"), 100_000), '\n'),
		"flu_quote.csv":        append(append(bytes.Clone(header), '\n'), `"begun and never ended`...),
		"flu_random.csv":       garbage,
		"flu_bad_row.csv":      fileOf(t, "flu", 3, 1),
		long:                   fileOf(t, "flu", 3, 1),
	}
	digests := map[string]string{}
	for name, content := range bad {
		digests[name] = drop(t, r.flu, name, content)
	}
	bad["flu_one_line.csv"] = nil // it is big
	digest := drop(t, r.flu, "flu_good.csv", good(t))
	for name := range bad {
		u := r.endsWith(name, "invalid")
		if u.Reason != "findings_block" || u.Remedy == nil {
			t.Errorf("%s: reason %q, remedy %v", name, u.Reason, u.Remedy)
		}
		var findings struct{ Items []struct{ Rule string } }
		if r.call("GET", "/uploads/"+u.ID+"/findings", nil, &findings); len(findings.Items) == 0 {
			t.Errorf("%s: no findings", name)
		}
		r.mustBeOnlyAt(u, digests[name], "quarantine")
		srv.mustHave(digests[name], 0, 0)
	}
	r.endsWith("flu_good.csv", "accepted")
	srv.mustHave(digest, 1, 1)
	if n := len(srv.report().Items); n != 1 {
		t.Errorf("the server got %d deliveries", n)
	}
	mustFit(t, r.proc, 64<<10)
}

// mustFit fails when the process ever held more than so many KiB in memory.
func mustFit(t *testing.T, p *process.Process, kib int) {
	t.Helper()
	held := memory(t, p, "VmHWM")
	t.Logf("at most %d KiB resident", held)
	if held > kib {
		t.Errorf("at most %d KiB resident, want %d", held, kib)
	}
}

// memory is what the kernel says of the process, in KiB: VmRSS now, VmHWM at most.
func memory(t *testing.T, p *process.Process, what string) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	check(t, err)
	_, rest, _ := strings.Cut(string(status), what+":")
	_, err = fmt.Sscan(rest, &kib)
	check(t, err)
	return kib
}

func TestABigFilePassesInConstantMemory(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv, "FLU_BLOCK_ON=never") // the rows repeat
	r.start()
	part := fileOf(t, "flu", 2000, 0)
	header, rows, _ := bytes.Cut(part, []byte("\n"))
	f, err := os.Create(filepath.Join(r.flu, ".flu_big.tmp"))
	check(t, err)
	_, err = f.Write(append(header, '\n'))
	check(t, err)
	for size := 0; size < 250<<20; size += len(rows) {
		_, err = f.Write(rows)
		check(t, err)
	}
	check(t, f.Close())
	check(t, os.Rename(f.Name(), filepath.Join(r.flu, "flu_big.csv")))
	r.until("flu_big.csv", "is sent", func(u row) bool { return u.State == "sent" || u.over() })
	mustFit(t, r.proc, 64<<10)
}

func TestWhatIsNoFileOfOursIsLeftAloneWithItsReason(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	r := newRig(t, srv)
	outside := filepath.Join(t.TempDir(), "outside.csv")
	check(t, os.WriteFile(outside, good(t), 0o644))
	gbk := "flu_" + strings.Repeat("\xb2\xa1", 123) + "x.csv" // 255 bytes, no UTF-8
	check(t, os.Mkdir(filepath.Join(r.flu, "flu_dir.csv"), 0o755))
	check(t, syscall.Mkfifo(filepath.Join(r.flu, "flu_fifo.csv"), 0o644))
	check(t, os.Symlink(outside, filepath.Join(r.flu, "flu_link.csv")))
	check(t, os.WriteFile(filepath.Join(r.flu, gbk), good(t), 0o644))
	check(t, os.WriteFile(filepath.Join(r.flu, "flu_line\nbreak.csv"), good(t), 0o644))
	check(t, os.WriteFile(filepath.Join(r.flu, "readme.txt"), nil, 0o644))
	check(t, os.WriteFile(filepath.Join(r.flu, "flu_x.csv.part"), good(t), 0o644))
	r.start()
	digest := drop(t, r.flu, "flu_good.csv", good(t))
	r.endsWith("flu_good.csv", "accepted")
	srv.mustHave(digest, 1, 1)
	reasons := map[string]int{}
	for _, x := range r.trigger(map[string]any{"channel": "flu", "dry_run": true}).Items {
		if x.Taken || x.Reason == "" {
			t.Errorf("%q: taken %v, reason %q", x.Filename, x.Taken, x.Reason)
		}
		reasons[x.Reason]++
	}
	if reasons["not_a_regular_file"] != 3 || reasons["name_invalid"] != 2 || reasons["name_unknown"]+reasons["name_ignored"] < 2 {
		t.Errorf("reasons %v", reasons)
	}
	for _, name := range []string{"flu_dir.csv", "flu_fifo.csv", "flu_link.csv", gbk, "readme.txt"} {
		if _, err := os.Lstat(filepath.Join(r.flu, name)); err != nil {
			t.Errorf("not left alone: %v", err)
		}
	}
	if n := len(srv.report().Items); n != 1 {
		t.Errorf("the server got %d deliveries", n)
	}
	if c := r.channel("flu"); c.LeftAlone < 1 {
		t.Errorf("%d left alone", c.LeftAlone)
	}
}

// small mounts a small file system of its own, for as long as the test runs.
// Only root can; who is not is told, and runs the rest.
func small(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root; CI runs as root") // nothing else can make a full or read-only volume
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting is not allowed here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestAFullDiskHoldsFilesUntilThereIsSpace(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	state := small(t, "size=24m")
	r := newRigAt(t, srv, "", state, "DISK_RESERVE=8MiB")
	r.start()
	first := drop(t, r.flu, "flu_1.csv", good(t))
	r.endsWith("flu_1.csv", "accepted")
	var fs syscall.Statfs_t
	check(t, syscall.Statfs(state, &fs))
	ballast := filepath.Join(state, "ballast")
	check(t, os.WriteFile(ballast, make([]byte, int64(fs.Bavail)*fs.Bsize-4<<20), 0o644))
	second := drop(t, r.flu, "flu_2.csv", good(t))
	u := r.until("flu_2.csv", "is held", func(u row) bool { return u.Reason == "disk_full" })
	if u.Remedy == nil || u.Attempt != 0 {
		t.Errorf("held with remedy %v after %d attempts", u.Remedy, u.Attempt)
	}
	r.channelIs("flu", "blocked")
	if ready, live := r.call("GET", "/readyz", nil, nil), r.call("GET", "/livez", nil, nil); ready != 503 || live != 200 {
		t.Errorf("ready %d, live %d", ready, live)
	}
	check(t, os.Remove(ballast))
	r.endsWith("flu_2.csv", "accepted")
	r.channelIs("flu", "ok")
	srv.mustHave(first, 1, 1)
	srv.mustHave(second, 1, 1)
}

func TestADiskFullToTheLastByteEndsNothing(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	state := small(t, "size=16m")
	r := newRigAt(t, srv, "", state, "DISK_RESERVE=1MiB")
	r.start()
	ballast, err := os.Create(filepath.Join(state, "ballast"))
	check(t, err)
	for chunk := make([]byte, 64<<10); err == nil; {
		_, err = ballast.Write(chunk)
	}
	check(t, ballast.Close())
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	eventually(t, "it says that it cannot take files", func() bool { return r.call("GET", "/readyz", nil, nil) == 503 })
	if code := r.call("GET", "/livez", nil, nil); code != 200 {
		t.Errorf("live %d", code)
	}
	check(t, os.Remove(ballast.Name()))
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
	eventually(t, "it is ready again", func() bool { return r.call("GET", "/readyz", nil, nil) == 200 })
}

func TestAReadOnlyVolumeIsAStateWithARemedyAndNoSecondDelivery(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	volume := small(t, "size=4m")
	srv.call("POST", "pause", nil, nil)
	r := newRigAt(t, srv, volume, "")
	r.start()
	digest := drop(t, volume, "flu_1.csv", good(t))
	r.until("flu_1.csv", "is sent", func(u row) bool { return u.State == "sent" })
	remount(t, volume, syscall.MS_RDONLY)
	srv.call("POST", "resume", nil, nil)
	u := r.until("flu_1.csv", "waits to be put away", func(u row) bool { return u.State == "decided" && u.Reason == "read_only" })
	if u.Verdict != "accepted" || u.Remedy == nil {
		t.Errorf("verdict %s, remedy %v", u.Verdict, u.Remedy)
	}
	if c := r.channelIs("flu", "blocked"); c.Reason != "read_only" || c.Remedy == nil {
		t.Errorf("the channel is blocked by %q, remedy %v", c.Reason, c.Remedy)
	}
	r.proc.Kill()
	r.launch() // a restart changes nothing
	r.until("flu_1.csv", "still waits", func(u row) bool { return u.State == "decided" && u.Reason == "read_only" })
	srv.mustHave(digest, 1, 1)
	remount(t, volume, 0)
	u = r.endsWith("flu_1.csv", "accepted")
	r.mustBeOnlyAt(u, digest, "archive") // across file systems
	srv.mustHave(digest, 1, 1)
	if n := len(r.uploads("flu_1.csv")); n != 1 {
		t.Errorf("%d uploads", n)
	}
	r.channelIs("flu", "ok")
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	check(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=4m"))
}
