package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// deaf opens an event stream from the beginning, with as small a buffer as the
// kernel gives, and never reads.
func deaf(t *testing.T, r *rig) {
	t.Helper()
	d := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if raw := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1) }); raw != nil {
			return raw
		}
		return err
	}}
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(r.base, "http://"))
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET /events?after=0 HTTP/1.1\r\nHost: sidecar\r\nAuthorization: Bearer %s\r\n\r\n", viewerToken)
	check(t, err)
}

func TestClientsThatNeverReadAreCutOffAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	const many, files = 20, 250
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	for i := range files { // so much has happened that no buffer takes it all
		drop(t, r.flu, fmt.Sprintf("flu_%d.csv", i), fileOf(t, "flu", 1, 0))
	}
	eventually(t, "all have come to their end", func() bool {
		var page struct{ Items []row }
		return r.call("GET", "/uploads?limit=500&state=retired", nil, &page) == http.StatusOK && len(page.Items) == files
	})
	happened := 0
	ctx, cancel := context.WithTimeout(t.Context(), process.Patience)
	defer cancel()
	ends := 0
	sse(ctx, r.base+"/events?after=0", viewerToken, func(data []byte) bool {
		happened += len(data)
		if strings.Contains(string(data), `"to":"retired"`) {
			ends++
		}
		return ends < files
	})
	before, began := memory(t, r.proc, "VmRSS"), time.Now()
	for range many {
		deaf(t, r)
	}
	heard := make(chan string, 1)
	go func() {
		last, ends := "", 0
		sse(ctx, r.base+"/events?after=0", viewerToken, func(data []byte) bool { // from the beginning: what happens before it is open counts, too
			last = string(data)
			if strings.Contains(last, `"to":"retired"`) {
				ends++
			}
			return ends <= files
		})
		heard <- last
	}()
	digest := drop(t, r.flu, "flu_meanwhile.csv", good(t))
	u := r.endsWith("flu_meanwhile.csv", "accepted")
	srv.mustHave(digest, 1, 1)
	if last := <-heard; !strings.Contains(last, u.ID) {
		t.Errorf("who reads heard nothing of %s meanwhile: %s", u.ID, last)
	}
	cut := func() int { return strings.Count(r.proc.Out.String(), "i/o timeout") }
	if n := cut(); n > 0 {
		t.Errorf("%d clients were cut off before the file went through: it need not have waited for them", n)
	}
	eventually(t, "all that do not read are cut off", func() bool { return cut() == many })
	took := time.Since(began)
	grown := memory(t, r.proc, "VmRSS") - before
	t.Logf("%d clients that never read %d KiB of events were cut off after %v; resident memory grew by %d KiB meanwhile", many, happened>>10, took.Round(time.Millisecond), grown)
	if took > time.Minute || grown > many<<10 {
		t.Errorf("after %v, %d KiB", took, grown)
	}
}

// idle opens an event stream and tells when its first line has come, and when it
// has heard of a file's end. It goes on until the context ends.
func idle(ctx context.Context, r *rig, opened, heard *sync.WaitGroup) error {
	stillOpening, stillDeaf := true, true
	defer func() {
		if stillOpening {
			opened.Done()
		}
		if stillDeaf {
			heard.Done()
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/events", http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+viewerToken)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cut off: %w", err)
		}
		if stillOpening {
			stillOpening = false
			opened.Done()
		}
		if stillDeaf && strings.Contains(line, `"to":"retired"`) {
			stillDeaf = false
			heard.Done()
		}
	}
}

func TestAHundredIdleClientsCostLittle(t *testing.T) {
	t.Parallel()
	const many = 100
	srv := newServer(t)
	r := newRig(t, srv)
	r.start()
	drop(t, r.flu, "flu_warm.csv", good(t))
	r.endsWith("flu_warm.csv", "accepted") // what the first file costs is not the clients'
	before := memory(t, r.proc, "VmRSS")
	ctx, leave := context.WithCancel(t.Context())
	var opened, heard, gone sync.WaitGroup
	wrong := make(chan error, many)
	opened.Add(many)
	heard.Add(many)
	for range many {
		gone.Go(func() { wrong <- idle(ctx, r, &opened, &heard) })
	}
	opened.Wait()
	open := memory(t, r.proc, "VmRSS")
	drop(t, r.flu, "flu_heard.csv", good(t))
	r.endsWith("flu_heard.csv", "accepted")
	heard.Wait()
	after := memory(t, r.proc, "VmRSS")
	t.Logf("%d clients: %d KiB each when open, %d KiB each after events", many, (open-before)/many, (after-before)/many)
	if cost := (max(open, after) - before) / many; cost > 1<<10 {
		t.Errorf("a client costs %d KiB", cost)
	}
	leave()
	gone.Wait()
	close(wrong)
	for err := range wrong {
		if err != nil {
			t.Errorf("a client that was idle: %v", err)
		}
	}
}
