package validate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// fakePacker keeps what it is given.
type fakePacker struct {
	beginErr, writeErr, finishErr error
	bytes                         strings.Builder
	begun, finished, aborted      int
	onWrite                       func()
}

func (p *fakePacker) Begin(context.Context, upload.Upload) (Packing, error) {
	p.begun++
	if p.beginErr != nil {
		return nil, p.beginErr
	}
	return p, nil
}

func (p *fakePacker) Write(b []byte) (int, error) {
	if p.onWrite != nil {
		p.onWrite()
	}
	if p.writeErr != nil {
		return 0, p.writeErr
	}
	return p.bytes.Write(b)
}

func (p *fakePacker) Finish() (int64, string, error) {
	p.finished++
	return 77, "sha-256:packed", p.finishErr
}

func (p *fakePacker) Abort() { p.aborted++ }

// scene is one watched directory with one file in it.
type scene struct {
	path   string
	dir    *durable.Dir
	packer *fakePacker
	stage  *Stage
	u      upload.Upload
}

func newScene(t *testing.T, content string, block upload.Severity, opts ...durable.Option) *scene {
	t.Helper()
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "lis_1.csv"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := durable.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	s := &scene{path: filepath.Join(path, "lis_1.csv"), dir: dir, packer: &fakePacker{}}
	s.stage = New(StageOptions{
		Library: library(t), Packer: s.packer, Sources: map[upload.Channel]Source{upload.Flu: DirSource{dir}},
		BlockOn: map[upload.Channel]upload.Severity{upload.Flu: block}, Now: func() time.Time { return noon },
	})
	seen, err := dir.Look("lis_1.csv")
	if err != nil {
		t.Fatal(err)
	}
	s.u = upload.Upload{ID: "u", Channel: upload.Flu, Kind: "lis", Filename: "lis_1.csv", State: upload.StateSettled, Source: seen}
	return s
}

func (s *scene) run(t *testing.T) upload.Upload {
	t.Helper()
	out, err := s.stage.Run(t.Context(), s.u)
	if err != nil {
		t.Fatal(err)
	}
	after, err := out.Apply(s.u, noon)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

func TestStageReadsOnceAndPacksTheOriginalBytes(t *testing.T) {
	t.Parallel()
	content := gb(t, lisHeader+lis(500))
	s := newScene(t, content, upload.Error)
	u := s.run(t)
	sum := sha256.Sum256([]byte(content))
	if u.State != upload.StateValidated || u.Digest != "sha-256:"+hex.EncodeToString(sum[:]) || u.Rows != 500 || u.Charset != "gb18030" ||
		u.Standard != "flu-2.6" || u.PackedSize != 77 || u.PackedDigest != "sha-256:packed" {
		t.Errorf("after: %+v", u)
	}
	if s.packer.bytes.String() != content || s.packer.finished != 1 || s.packer.aborted != 0 {
		t.Errorf("packed %d bytes, finished %d times, aborted %d times", s.packer.bytes.Len(), s.packer.finished, s.packer.aborted)
	}
}

func TestStageHoldsBackFromTheSeverityAskedFor(t *testing.T) {
	t.Parallel()
	warning := lisHeader + strings.Replace(lis(1), "2024-05-01 09:00:00", "2024-05-01", 1)
	wrong := lisHeader + strings.Replace(lis(1), ",1,1\n", ",1,\n", 1)
	for name, tc := range map[string]struct {
		content string
		block   upload.Severity
		forced  bool
		held    bool
	}{
		"an error on error":        {wrong, upload.Error, false, true},
		"an error on fatal":        {wrong, upload.Fatal, false, false},
		"an error, forced":         {wrong, upload.Error, true, false},
		"a warning on error":       {warning, upload.Error, false, false},
		"a warning on warning":     {warning, upload.Warning, false, true},
		"something fatal on never": {"", "", false, false},
		"something fatal on error": {"", upload.Error, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, tc.content, tc.block)
			s.u.Forced = tc.forced
			u := s.run(t)
			if held := u.State == upload.StateDecided && u.Verdict == upload.Invalid; held != tc.held {
				t.Errorf("state %s, verdict %q", u.State, u.Verdict)
			}
			if s.packer.finished+s.packer.aborted != 1 || (s.packer.aborted == 1) != tc.held {
				t.Errorf("finished %d, aborted %d", s.packer.finished, s.packer.aborted)
			}
		})
	}
}

func TestStageGivesUpAContentThatIsNoLongerThere(t *testing.T) {
	t.Parallel()
	grow := func(t *testing.T, s *scene) {
		f, err := os.OpenFile(s.path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(lis(1)); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(t *testing.T, s *scene) {
		if err := os.WriteFile(s.path+".new", []byte(lisHeader+lis(2)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(s.path+".new", s.path); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, s *scene) {
		if err := os.Remove(s.path); err != nil {
			t.Fatal(err)
		}
	}
	pipe := func(t *testing.T, s *scene) {
		remove(t, s)
		if err := syscall.Mkfifo(s.path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, *scene)
		want   upload.State
	}{
		"it grew":                   {grow, upload.StateSuperseded},
		"another took its name":     {replace, upload.StateSuperseded},
		"it is gone":                {remove, upload.StateVanished},
		"a FIFO stands in its name": {pipe, upload.StateVanished},
	} {
		for _, when := range []string{"before the read", "during the read"} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, lisHeader+lis(9000), upload.Error)
				if when == "before the read" {
					tc.change(t, s)
				} else {
					s.packer.onWrite = func() { s.packer.onWrite = nil; tc.change(t, s) }
				}
				if u := s.run(t); u.State != tc.want {
					t.Errorf("state %s, want %s", u.State, tc.want)
				}
				if s.packer.finished != 0 {
					t.Error("a packed copy was finished")
				}
				if when == "before the read" && s.packer.begun != 0 {
					t.Error("a content that is not there was read")
				}
			})
		}
	}
}

// shifty is a source that is another file from some look on, and says so in
// one way only.
type shifty struct {
	Source
	byName, byHandle bool
}

func (s shifty) Look(name string) (upload.Identity, error) {
	id, err := s.Source.Look(name)
	if s.byName {
		id.ChangeTime++
	}
	return id, err
}

func (s shifty) OpenRead(name string) (File, error) {
	f, err := s.Source.OpenRead(name)
	return &shiftyFile{File: f, shifts: s.byHandle}, err
}

type shiftyFile struct {
	File
	shifts bool
	asked  int
}

func (f *shiftyFile) Identity() (upload.Identity, error) {
	id, err := f.File.Identity()
	if f.asked++; f.asked > 1 && f.shifts {
		id.ModTime++
	}
	return id, err
}

func TestStageLooksAtNameAndHandleAfterTheRead(t *testing.T) {
	t.Parallel()
	for _, by := range []shifty{{byName: true}, {byHandle: true}} {
		s := newScene(t, lisHeader+lis(2), upload.Error)
		by.Source = DirSource{s.dir}
		s.stage.o.Sources = map[upload.Channel]Source{upload.Flu: by}
		if u := s.run(t); u.State != upload.StateSuperseded || s.packer.finished != 0 {
			t.Errorf("by name %v, by handle %v: state %s", by.byName, by.byHandle, u.State)
		}
	}
}

func TestStageDoesNotFollowAFileThatGrowsForEver(t *testing.T) {
	t.Parallel()
	s := newScene(t, lisHeader+lis(2000), upload.Error)
	f, err := os.OpenFile(s.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	writes := 0
	s.packer.onWrite = func() {
		if writes++; writes < 100 {
			_, _ = f.WriteString(lis(2000))
		}
	}
	if u := s.run(t); u.State != upload.StateSuperseded {
		t.Errorf("state %s", u.State)
	}
	if int64(s.packer.bytes.Len()) > s.u.Source.Size {
		t.Errorf("%d bytes were packed of %d that settled", s.packer.bytes.Len(), s.u.Source.Size)
	}
}

func TestStageFaultsAreLocalAndLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	full := durable.Error{Op: durable.OpWrite, Err: syscall.ENOSPC}
	for name, tc := range map[string]struct {
		packer fakePacker
		want   upload.Reason
	}{
		"no packing can begin": {fakePacker{beginErr: upload.LocalFaultOf(upload.SpoolFull, "", nil)}, upload.SpoolFull},
		"disk full on write":   {fakePacker{writeErr: &full}, upload.DiskFull},
		"disk full at the end": {fakePacker{finishErr: &full}, upload.DiskFull},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, lisHeader+lis(1), upload.Error)
			*s.packer = fakePacker{beginErr: tc.packer.beginErr, writeErr: tc.packer.writeErr, finishErr: tc.packer.finishErr}
			_, err := s.stage.Run(t.Context(), s.u)
			if f := upload.AsFault(err); f.Class != upload.Local || f.Reason != tc.want {
				t.Errorf("fault %v of class %v", err, f.Class)
			}
			if begun := tc.packer.beginErr == nil; begun && s.packer.finished+s.packer.aborted != 1 {
				t.Errorf("finished %d, aborted %d", s.packer.finished, s.packer.aborted)
			}
		})
	}
}

func TestStageSaysWhyASourceCannotBeOpened(t *testing.T) {
	t.Parallel()
	fail := errors.New("input/output error")
	var on durable.Op
	s := newScene(t, lisHeader, upload.Error, durable.WithHook(func(op durable.Op, _ string) error {
		if op == on {
			return fail
		}
		return nil
	}))
	on = durable.OpOpen
	_, err := s.stage.Run(t.Context(), s.u)
	if f := upload.AsFault(err); f.Class != upload.Local || f.Reason != upload.SourceUnreadable {
		t.Errorf("fault %v", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Error("an unreadable source is not a missing one")
	}
}

func TestStageStopsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	s := newScene(t, lisHeader+lis(9000), upload.Error)
	ctx, cancel := context.WithCancel(t.Context())
	s.packer.onWrite = cancel
	if _, err := s.stage.Run(ctx, s.u); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if s.packer.aborted != 1 {
		t.Error("the packed copy was not thrown away")
	}
}
