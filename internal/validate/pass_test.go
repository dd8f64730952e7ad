package validate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// large is long enough to be packed in a goroutine of its own.
func large(t *testing.T, more int) string {
	t.Helper()
	content := lisHeader + lis(40)
	content += strings.Repeat(lis(40), overlapFrom/len(lis(40))+1)
	if len(content) < overlapFrom {
		t.Fatal("not large")
	}
	return content + strings.Repeat(" ", more)
}

func TestALargeSourceIsPackedAsItIs(t *testing.T) {
	t.Parallel()
	exact := large(t, 0)
	for name, content := range map[string]string{
		"somewhat more":        large(t, 5000),
		"in whole pieces":      large(t, piece-len(exact)%piece),
		"just overlapped":      large(t, 0)[:overlapFrom],
		"just not overlapped":  large(t, 0)[:overlapFrom-1],
		"many times the ahead": strings.Repeat(exact, 5),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, content, "")
			u := s.run(t)
			sum := sha256.Sum256([]byte(content))
			if u.State != upload.StateValidated || u.Digest != "sha-256:"+hex.EncodeToString(sum[:]) {
				t.Errorf("state %s, digest %s", u.State, u.Digest)
			}
			if s.packer.bytes.String() != content {
				t.Error("packed something else")
			}
		})
	}
}

func TestALargeSourceIsCheckedTheSameWay(t *testing.T) {
	t.Parallel()
	content := large(t, 0)
	s := newScene(t, content, "")
	c := NewChecker(library(t), upload.Flu, "lis", Options{Now: noon})
	_, _ = c.Write([]byte(content))
	want := c.Close()
	if u := s.run(t); u.Rows != want.Rows || u.Findings != want.Tally || u.Charset != want.Charset {
		t.Errorf("rows %d, findings %+v; want %d, %+v", u.Rows, u.Findings, want.Rows, want.Tally)
	}
}

func TestWhatGoesWrongWhilePackingAside(t *testing.T) {
	t.Parallel()
	full := durable.Error{Op: durable.OpWrite, Err: syscall.ENOSPC}
	for name, tc := range map[string]struct {
		fail func(p *fakePacker, writes int)
		want upload.Reason
	}{
		"disk full at once": {func(p *fakePacker, _ int) { p.writeErr = &full }, upload.DiskFull},
		"disk full later": {func(p *fakePacker, n int) {
			if n > 6 {
				p.writeErr = &full
			}
		}, upload.DiskFull},
		"a fault of our own": {func(_ *fakePacker, n int) { panic(n) }, upload.InternalFault},
		"the same, much later": {func(_ *fakePacker, n int) {
			if n > 10 {
				panic(n)
			}
		}, upload.InternalFault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, strings.Repeat(large(t, 0), 4), "")
			writes := 0
			s.packer.onWrite = func() { writes++; tc.fail(s.packer, writes) }
			_, err := s.stage.Run(t.Context(), s.u)
			if f := upload.AsFault(err); f.Reason != tc.want {
				t.Errorf("fault %v", err)
			}
			if s.packer.aborted != 1 || s.packer.finished != 0 {
				t.Errorf("finished %d, aborted %d", s.packer.finished, s.packer.aborted)
			}
		})
	}
}

func TestNothingGoesOnAfterALargeSourceIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newScene(t, strings.Repeat(large(t, 0), 4), "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	writes := 0
	s.packer.onWrite = func() {
		if writes++; writes == 3 {
			cancel()
		}
	}
	if _, err := s.stage.Run(ctx, s.u); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if s.packer.aborted != 1 {
		t.Error("the packed copy was not thrown away")
	}
	before := writes // the race detector sees who still writes
	if whole := strings.Repeat(large(t, 0), 4); int64(s.packer.bytes.Len()) >= int64(len(whole)) || writes != before {
		t.Errorf("%d bytes were packed", s.packer.bytes.Len())
	}
}
