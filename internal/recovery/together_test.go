package recovery

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// together keeps one line, and many more while that one is being written
// through; it gives the errors of the many.
func together(t *testing.T, many int, sync1 func(n int64) error) (syncs int64, errs []error, l *Log) {
	t.Helper()
	first, goOn := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	dir, err := durable.Open(t.TempDir(), durable.WithHook(func(op durable.Op, _ string) error {
		if op != durable.OpSync {
			return nil
		}
		at := n.Add(1)
		if at == 1 {
			close(first)
			<-goOn
		}
		return sync1(at)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	l = Open(dir)
	t.Cleanup(func() { _ = l.Close() })
	keep := func() error {
		return l.Keep(upload.Upload{
			ID: upload.NewID(time.Now()), Channel: upload.Flu, Filename: "flu_1.csv", State: upload.StateCancelled, TraceID: "a",
		}, time.Unix(1000, 0))
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := keep(); err != nil {
			t.Error(err)
		}
	})
	<-first
	errs = make([]error, many)
	for i := range many {
		wait.Go(func() { errs[i] = keep() })
	}
	for queued := 0; queued < many; runtime.Gosched() {
		l.queue.mu.Lock()
		if l.queue.next != nil {
			queued = bytes.Count(l.queue.next.text.Bytes(), []byte("\n"))
		}
		l.queue.mu.Unlock()
	}
	close(goOn)
	wait.Wait()
	return n.Load(), errs, l
}

func TestLinesThatComeTogetherAreWrittenThroughAtOnce(t *testing.T) {
	t.Parallel()
	const many = 20
	syncs, errs, l := together(t, many, func(int64) error { return nil })
	if syncs != 2 {
		t.Errorf("written through %d times", syncs)
	}
	lines := 0
	for line, err := range l.Lines(t.Context()) {
		if err != nil || line.Err != nil {
			t.Error(err, line.Err)
		}
		lines++
	}
	if err := errors.Join(errs...); err != nil || lines != many+1 {
		t.Errorf("%d lines, %v", lines, err)
	}
}

func TestNoneOfThemIsSaidToBeKeptWhenTheDiskIsFull(t *testing.T) {
	t.Parallel()
	_, errs, _ := together(t, 5, func(n int64) error {
		if n > 1 {
			return syscall.ENOSPC
		}
		return nil
	})
	for _, err := range errs {
		if err == nil || upload.AsFault(err).Reason != upload.DiskFull {
			t.Errorf("got %v", err)
		}
	}
}

func TestAnUploadThatIsNoLineHarmsNoOther(t *testing.T) {
	t.Parallel()
	dir, err := durable.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	l, good, bad := Open(dir), deliveredUpload(), deliveredUpload()
	defer l.Close()
	bad.SentAt = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) // of which JSON has no year
	for _, u := range []upload.Upload{good, bad, bad, good} {
		if err := l.Keep(u, u.UpdatedAt); (err != nil) != u.SentAt.Equal(bad.SentAt) {
			t.Errorf("kept one sent at %s: %v", u.SentAt, err)
		}
	}
	read := 0
	for line, err := range l.Lines(t.Context()) {
		if err != nil || line.Err != nil || !line.Upload.SentAt.Equal(good.SentAt) {
			t.Errorf("line %d: %v, %v", read, err, line)
		}
		read++
	}
	if read != 2 {
		t.Errorf("%d lines, want 2", read)
	}
}

func TestBuffersAreUsedAgain(t *testing.T) {
	t.Parallel()
	_, errs, l := together(t, 20, func(int64) error { return nil })
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if n := len(l.queue.spare); n != spares {
		t.Fatalf("%d spare buffers after lines that gathered while others were written, want %d", n, spares)
	}
	u := deliveredUpload()
	for range 3 {
		was := &l.queue.spare[spares-1][:1][0]
		if err := l.Keep(u, u.UpdatedAt); err != nil {
			t.Fatal(err)
		}
		if is := &l.queue.spare[spares-1][:1][0]; is != was {
			t.Error("a new buffer was made")
		}
	}
	u.Detail = strings.Repeat("x", 2*mostSpare)
	if err := l.Keep(u, u.UpdatedAt); err != nil || len(l.queue.spare) != spares-1 {
		t.Errorf("a large buffer is kept: %d spare ones, %v", len(l.queue.spare), err)
	}
}
