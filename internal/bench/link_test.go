package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// linked is about how many megabytes are sent over the slow link.
	linked = 100
	// slowLink is its speed in bytes per second, 2 Mbit/s, and slowDelay how long it
	// is, one way: 80 ms there and back.
	slowLink  = 2e6 / 8
	slowDelay = 40 * time.Millisecond
	// closeTo is how near to the best that can be had on it one is to come.
	closeTo = 1.05
)

// link measures how long it takes from a rename to the verdict where the server
// is behind a slow link, against the time that the smallest zip of any installed
// tool would take to be sent, were it there already.
func (b *bench) link(ctx context.Context, t *testing.T) {
	for _, feed := range []feed{
		{"flu", "flu", "flu-2.6", 330},
		{"hqms", "hqms", "hqms-2020", 2000},
	} {
		t.Run(feed.layout, func(t *testing.T) {
			slow := &line{to: strings.TrimPrefix(b.sandbox(ctx, t), "http://"), speed: slowLink, delay: slowDelay}
			dir := home(t)
			s := b.sidecar(ctx, t, dir, "http://"+slow.serve(ctx, t), "SETTLE=closed", "FLU_BLOCK_ON=never", "HQMS_BLOCK_ON=never", "POLL_MIN=50ms")
			s.ready(ctx, t)
			events := s.follow(ctx, t)
			b.source(t, dir, feed, 2) // the link gets to be known
			journeys(ctx, t, events, 1)
			u := b.sourceAs(t, dir, feed, setting(t, "HQMS_BENCH_LINK", linked), string(feed.kind)+"_linked.csv")
			began := time.Unix(0, u.Source.ChangeTime) // of the rename
			j := journeys(ctx, t, events, 1)[0]
			busy := b.worked(ctx, t, u.Filename)
			took := j["decided"].Sub(began) - busy
			mb, sent := float64(u.Source.Size)/1e6, s.packedSize(ctx, t, u.Filename)
			t.Logf("packed after %v, %d bytes sent after %v, verdict after %v", j["packed"].Sub(began), sent, j["sent"].Sub(began), took)
			smallest, tool := b.smallest(ctx, t, filepath.Join(dir, "state", "archive"), u.Filename)
			if smallest == 0 {
				return
			}
			ideal := float64(smallest) / slowLink
			b.atMost(figure{
				Part: "link", What: fmt.Sprintf("%s, %.0f MB at 2 Mbit/s, 80 ms: rename → verdict, in %.1f s without the server's own work", feed.layout, mb, took.Seconds()), Value: took.Seconds() / ideal, Unit: "×",
				Ratio: took.Seconds() / ideal, Yardstick: fmt.Sprintf("× sending the best zip, %.2f MB by %s", float64(smallest)/1e6, tool),
			}, closeTo)
			b.note(figure{Part: "link", What: feed.layout + ": sent", Value: float64(sent) / 1e6, Unit: "MB", Ratio: float64(sent) / float64(smallest), Yardstick: "× the best zip"})
			b.note(figure{Part: "link", What: feed.layout + ": the server's own work", Value: ms(busy), Unit: "ms"})
			b.note(figure{Part: "link", What: feed.layout + ": check and pack, before the first byte", Value: ms(j["packed"].Sub(began)), Unit: "ms"})
			b.note(figure{Part: "link", What: feed.layout + ": CPU for both files", Value: s.cpu(t).Seconds(), Unit: "s"})
		})
	}
}

// worked is how long the sandbox itself was at a file, from its last byte to the
// verdict: reading and checking it.
func (b *bench) worked(ctx context.Context, t *testing.T, name string) time.Duration {
	t.Helper()
	var report struct {
		Items []struct {
			Filename   string    `json:"filename"`
			ReceivedAt time.Time `json:"received_at"`
			DecidedAt  time.Time `json:"decided_at"`
		}
	}
	(&sidecar{base: b.base}).get(ctx, t, "/sandbox/arrivals", &report)
	for _, i := range report.Items {
		if i.Filename == name {
			return i.DecidedAt.Sub(i.ReceivedAt)
		}
	}
	t.Fatalf("the sandbox does not know %s", name)
	return 0
}

// packedSize is what the journal says was sent of a file.
func (s *sidecar) packedSize(ctx context.Context, t *testing.T, name string) int64 {
	t.Helper()
	var page struct {
		Items []struct {
			Filename   string `json:"filename"`
			PackedSize int64  `json:"packed_size"`
		}
	}
	s.get(ctx, t, "/uploads?limit=10", &page)
	for _, u := range page.Items {
		if u.Filename == name {
			return u.PackedSize
		}
	}
	t.Fatalf("%s is not in the list", name)
	return 0
}

// smallest is the smallest zip, or raw deflate, that an installed tool makes of an
// archived file; 0: there is none.
func (b *bench) smallest(ctx context.Context, t *testing.T, archive, name string) (size int64, tool string) {
	t.Helper()
	var file string
	must(t, filepath.WalkDir(archive, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Name() == name {
			file = path
		}
		return err
	}))
	for _, x := range []struct{ tool, line string }{
		{"zopfli", "zopfli --i15 -c %s > %s"},
		{"pigz", "pigz -11 -c %s > %s"},
		{"7z", "7z a -bd -tzip -mx=9 -mfb=258 -mpass=15 -so packed %s > %s"},
	} {
		if !installed(t, x.tool) {
			continue
		}
		out := filepath.Join(t.TempDir(), "packed")
		run(ctx, t, "sh", "-c", fmt.Sprintf(x.line, file, out))
		info, err := os.Stat(out)
		must(t, err)
		if size == 0 || info.Size() < size {
			size, tool = info.Size(), x.tool
		}
		if x.tool == "zopfli" {
			break // the others have never been smaller, and take as long
		}
	}
	return size, tool
}

// piped is how long "zstd | curl" takes with a file, to a server that discards it:
// nothing is checked, nothing is known afterwards.
func (b *bench) piped(ctx context.Context, t *testing.T, file string) time.Duration {
	t.Helper()
	if !installed(t, "zstd") || !installed(t, "curl") {
		return 0
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	wall, _ := run(ctx, t, "sh", "-c", fmt.Sprintf("zstd -3 -q -c %s | curl -sS -f -T - %s/", file, server.URL))
	return wall
}
