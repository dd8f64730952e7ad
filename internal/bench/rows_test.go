package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// rows measures how the start and the API's answers grow with the journal.
func (b *bench) rows(ctx context.Context, t *testing.T) {
	most := setting(t, "HQMS_BENCH_ROWS", 1_000_000)
	var starts, lists, statuses curve
	for n := most / 100; n <= most; n *= 10 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			server, dir := b.sandbox(ctx, t), home(t)
			began := time.Now()
			fill(ctx, t, filepath.Join(dir, "state"), n)
			t.Logf("%d rows were made in %v", n, time.Since(began))
			var took []time.Duration
			for range 3 {
				s := b.sidecar(ctx, t, dir, server)
				took = append(took, s.ready(ctx, t))
				s.stop()
			}
			starts.add(n, quantile(took, 0.5))
			s := b.sidecar(ctx, t, dir, server)
			s.ready(ctx, t)
			statuses.add(n, s.answered(ctx, t, "/status"))
			first, next := s.page(ctx, t, "", 10)
			var deep []time.Duration
			for range 10 {
				var d time.Duration
				d, next = s.page(ctx, t, next, 10)
				deep = append(deep, d)
			}
			lists.add(n, max(first, quantile(deep, 0.5)))
			b.note(figure{Part: "rows", What: fmt.Sprintf("%d rows: resident memory, lists read", n), Value: s.memory(t, "VmRSS"), Unit: "MiB"})
			if n > listed {
				b.readAll(ctx, t, s)
			}
		})
	}
	if t.Failed() {
		return
	}
	b.atMost(figure{Part: "rows", What: fmt.Sprintf("start to ready, %d rows", most), Value: starts.last(), Unit: "ms", Ratio: starts.growth(), Yardstick: "× that with a hundredth of the rows; " + starts.fit()}, 2000)
	b.note(figure{Part: "rows", What: fmt.Sprintf("page of the list, %d rows", most), Value: lists.last(), Unit: "ms", Ratio: lists.growth(), Yardstick: "× that with a hundredth of the rows; " + lists.fit()})
	b.note(figure{Part: "rows", What: fmt.Sprintf("/status, %d rows", most), Value: statuses.last(), Unit: "ms", Ratio: statuses.growth(), Yardstick: "× that with a hundredth of the rows; " + statuses.fit()})
}

// listed is how many rows of a longer list are read through the API, page by page.
const listed = 100_000

// readAll reads a long list as a program would, in the largest pages there are.
func (b *bench) readAll(ctx context.Context, t *testing.T, s *sidecar) {
	t.Helper()
	const most = 500
	began, cpu, cursor := time.Now(), s.cpu(t), ""
	for range listed / most {
		_, cursor = s.page(ctx, t, cursor, most)
	}
	took := time.Since(began)
	b.note(figure{Part: "rows", What: fmt.Sprintf("a list of %d rows, %d a page", listed, most), Value: listed / took.Seconds(), Unit: "rows/s"})
	b.note(figure{Part: "rows", What: "the same: CPU for a thousand rows", Value: ms(s.cpu(t)-cpu) / listed * 1000, Unit: "ms"})
	b.note(figure{Part: "rows", What: "the same: peak resident memory", Value: s.memory(t, "VmHWM"), Unit: "MiB"})
}

// answered is the median time of five answers.
func (s *sidecar) answered(ctx context.Context, t *testing.T, path string) time.Duration {
	t.Helper()
	var took []time.Duration
	for range 5 {
		began := time.Now()
		var ignored any
		s.get(ctx, t, path, &ignored)
		took = append(took, time.Since(began))
	}
	return quantile(took, 0.5)
}

// page reads one page of the list and gives the cursor of the next.
func (s *sidecar) page(ctx context.Context, t *testing.T, cursor string, limit int) (took time.Duration, next string) {
	t.Helper()
	var list struct {
		Next string `json:"next"`
	}
	path := "/uploads?limit=" + strconv.Itoa(limit)
	if cursor != "" {
		path += "&cursor=" + cursor
	}
	began := time.Now()
	s.get(ctx, t, path, &list)
	if list.Next == "" {
		t.Fatal("the list ends too early")
	}
	return time.Since(began), list.Next
}

func (s *sidecar) get(ctx context.Context, t *testing.T, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, http.NoBody)
	must(t, err)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, resp.Status)
	}
	must(t, json.NewDecoder(resp.Body).Decode(into))
}

// inFlight measures a sidecar whose server has many uploads and takes its time.
func (b *bench) inFlight(ctx context.Context, t *testing.T) {
	n := setting(t, "HQMS_BENCH_IN_FLIGHT", 1000)
	s := b.sidecar(ctx, t, home(t), b.sandbox(ctx, t, "-step", "10m"), "LOG_LEVEL=info", "SETTLE=closed", "CONCURRENCY=8", "POLL_MIN=1s", "POLL_MAX=5s")
	s.ready(ctx, t)
	events, sent := s.follow(ctx, t), 0
	heard := func() event {
		e := next(ctx, t, events)
		if e.To == "sent" && e.Name == "sent" { // not polled
			sent++
		}
		return e
	}
	alone := s.settled(t, heard, b, 0)
	for i := range n {
		closing(t, s.flu, fileName(100+i), b.small(t, uint64(100+i)))
	}
	for sent < n+alike {
		heard()
	}
	pause(ctx, t, 25*time.Second) // by then all are asked about at the longest pause
	crowded := s.settled(t, heard, b, 50)
	what := fmt.Sprintf("%d uploads wait for their verdict", n)
	b.atMost(figure{Part: "inflight", What: what + ": peak resident memory", Value: s.memory(t, "VmHWM"), Unit: "MiB"}, 64)
	b.note(figure{Part: "inflight", What: what + ": a new file, close → settled, p50", Value: ms(crowded), Unit: "ms", Ratio: float64(crowded) / float64(alone), Yardstick: "× that with nothing in flight"})
	b.note(figure{Part: "inflight", What: what + ": /status", Value: ms(s.answered(ctx, t, "/status")), Unit: "ms"})
	_ = os.RemoveAll(s.flu) // the uploads are abandoned with it
}

// alike is how many files a median is taken of.
const alike = 20

// settled is the median time from a close to the settling of a file.
func (s *sidecar) settled(t *testing.T, heard func() event, b *bench, from int) time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range alike {
		moment := closing(t, s.flu, fileName(from+i), b.small(t, uint64(from+i)))
		for {
			if e := heard(); e.To == "settled" && e.Name == "settled" {
				took = append(took, s.took(t, fileName(from+i)).Sub(moment))
				break
			}
		}
	}
	return quantile(took, 0.5)
}
