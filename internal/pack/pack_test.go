package pack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// source is a watched directory with one file.
type source struct {
	id  upload.Identity
	err error
}

func (s source) Look(string) (upload.Identity, error) { return s.id, s.err }

// contents is a journal with at most one holder.
type contents struct {
	holder upload.Upload
	held   bool
	err    error
}

func (c contents) Holder(context.Context, upload.Channel, string, upload.ID) (upload.Upload, bool, error) {
	return c.holder, c.held, c.err
}

const csvText = "P900,P6891\r\n1,医院\r\n"

var seen = upload.Identity{Inode: 7, Size: int64(len(csvText)), ModTime: 1_700_000_000_123_456_789, ChangeTime: 5}

func settled(id string) upload.Upload {
	return upload.Upload{
		ID: upload.ID(id), Channel: upload.Flu, Filename: "flu_20991231_流感.csv",
		Source: seen, Digest: "sha-256:d", State: upload.StateSettled,
	}
}

const (
	idA = "0190b3c4-0000-7000-8000-00000000000a"
	idB = "0190b3c4-0000-7000-8000-00000000000b"
)

func stage(t *testing.T, spool string, change func(*pack.Options), opts ...durable.Option) *pack.Stage {
	t.Helper()
	o := pack.Options{
		Spool:    durabletest.Dir(t, spool, opts...),
		Sources:  map[upload.Channel]pack.Source{upload.Flu: source{id: seen}},
		Contents: contents{},
	}
	if change != nil {
		change(&o)
	}
	return pack.New(o)
}

// packAll packs text in chunks of n bytes, as validation would.
func packAll(s *pack.Stage, u upload.Upload, text string, n int) (upload.Upload, error) {
	p, err := s.Begin(context.Background(), u)
	if err != nil {
		return u, err
	}
	for chunk := []byte(text); len(chunk) > 0; chunk = chunk[min(n, len(chunk)):] {
		if _, err := p.Write(chunk[:min(n, len(chunk))]); err != nil {
			return u, err
		}
	}
	size, digest, err := p.Finish()
	if err != nil {
		return u, err
	}
	u.State, u.PackedSize, u.PackedDigest = upload.StateValidated, size, digest
	return u, nil
}

func validated(t *testing.T, s *pack.Stage, id string) upload.Upload {
	t.Helper()
	u, err := packAll(s, settled(id), csvText, len(csvText))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestThePackedCopyIsOneEntryUnderItsOwnName(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	s := stage(t, spool, nil)
	u := validated(t, s, idA)
	o, err := s.Run(t.Context(), u)
	if err != nil || o.Name() != "packed" {
		t.Fatalf("got %q, %v", o.Name(), err)
	}
	f, size, err := s.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil || int64(len(data)) != size {
		t.Fatalf("%d of %d bytes, %v", len(data), size, err)
	}
	if sum := sha256.Sum256(data); u.PackedDigest != "sha-256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("digest: %s", u.PackedDigest)
	}
	r, err := zip.NewReader(bytes.NewReader(data), size)
	if err != nil || len(r.File) != 1 {
		t.Fatalf("%v", err)
	}
	e := r.File[0]
	if e.Name != u.Filename || e.Flags&0x800 == 0 || e.NonUTF8 || e.ReaderVersion > 20 {
		t.Errorf("header: %+v", e.FileHeader)
	}
	if want := time.Unix(0, seen.ModTime).UTC().Truncate(time.Second); !e.Modified.Equal(want) {
		t.Errorf("time: %v, want %v", e.Modified, want)
	}
	rc, err := e.Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(rc); err != nil || string(got) != csvText {
		t.Errorf("content: %q, %v", got, err)
	}
}

func TestTheSameContentGivesTheSameBytesHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("1,张三,2099-12-31,0.5\r\n", 30_000)
	for level := 1; level <= 9; level++ {
		t.Run(fmt.Sprintf("level %d", level), func(t *testing.T) {
			t.Parallel()
			s := stage(t, t.TempDir(), func(o *pack.Options) { o.Level = func(upload.Channel, int64) int { return level } })
			digests := map[string]bool{}
			for i, n := range []int{1 << 20, 4096, 777} {
				u, err := packAll(s, settled(fmt.Sprintf("0190b3c4-0000-7000-8000-00000000000%d", i)), text, n)
				if err != nil {
					t.Fatal(err)
				}
				digests[u.PackedDigest] = true
			}
			if len(digests) != 1 {
				t.Errorf("%d different packed copies", len(digests))
			}
		})
	}
}

func TestRunDecidesByWhatIsThereAndWhoHoldsTheContent(t *testing.T) {
	t.Parallel()
	other := seen
	other.ChangeTime++
	holder := func(state upload.State, v upload.Verdict) func(*pack.Options) {
		return func(o *pack.Options) {
			o.Contents = contents{held: true, holder: upload.Upload{ID: idB, State: state, Verdict: v}}
		}
	}
	from := func(src source) func(*pack.Options) {
		return func(o *pack.Options) { o.Sources = map[upload.Channel]pack.Source{upload.Flu: src} }
	}
	tests := map[string]struct {
		change func(*pack.Options)
		want   string
		reason upload.Reason
		spool  string // what stays there
		adopts upload.ID
	}{
		"nobody":                      {nil, "packed", "", idA + ".zip", ""},
		"changed":                     {from(source{id: other}), "resettled", upload.SourceChanged, "", ""},
		"gone":                        {from(source{err: fs.ErrNotExist}), "resettled", upload.SourceVanished, "", ""},
		"now a directory":             {from(source{err: durable.ErrNotRegular}), "resettled", upload.NotRegular, "", ""},
		"holder packed":               {holder(upload.StatePacked, ""), "hold", upload.SameContentInFlight, idA + ".zip.part", ""},
		"holder sent":                 {holder(upload.StateSent, ""), "hold", upload.SameContentInFlight, idA + ".zip.part", ""},
		"holder accepted":             {holder(upload.StateRetired, upload.Accepted), "delivered_earlier", upload.DeliveredBefore, "", ""},
		"holder accepted, not yet":    {holder(upload.StateDecided, upload.Accepted), "delivered_earlier", upload.DeliveredBefore, "", ""},
		"holder duplicate":            {holder(upload.StateRetired, upload.Duplicate), "delivered_earlier", upload.DeliveredBefore, "", ""},
		"holder partial":              {holder(upload.StateRetired, upload.PartiallyAccepted), "delivered_earlier", upload.DeliveredBefore, "", ""},
		"holder accepted, cancelled":  {holder(upload.StateCancelled, upload.Accepted), "delivered_earlier", upload.DeliveredBefore, "", ""},
		"holder cancelled":            {holder(upload.StateCancelled, ""), "packed", "", idA + ".zip", idB},
		"holder failed":               {holder(upload.StateFailed, ""), "packed", "", idA + ".zip", idB},
		"holder unresolved":           {holder(upload.StateRetired, upload.Unresolved), "packed", "", idA + ".zip", idB},
		"holder unresolved, not yet ": {holder(upload.StateDecided, upload.Unresolved), "packed", "", idA + ".zip", idB},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spool := t.TempDir()
			s := stage(t, spool, tt.change)
			u := validated(t, s, idA)
			for range 2 { // and again, as after a lost record
				o, err := s.Run(t.Context(), u)
				if err != nil {
					t.Fatal(err)
				}
				got := []any{o.Name(), o.Reason(), o.Adopts(), ls(t, spool)}
				want := []any{tt.want, tt.reason, tt.adopts, tt.spool}
				if tt.want == "delivered_earlier" && o.Name() == "resettled" {
					continue // the copy is gone by then: it is packed again, and asked again
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if tt.want == "resettled" {
					break
				}
			}
		})
	}
}

func TestRunGivesUnreachableSourcesAsFaults(t *testing.T) {
	t.Parallel()
	tests := map[upload.Reason]func(*pack.Options){
		upload.PermissionDenied: func(o *pack.Options) {
			o.Sources = map[upload.Channel]pack.Source{upload.Flu: source{err: syscall.EACCES}}
		},
		upload.WatchDirMissing: func(o *pack.Options) { o.Sources = nil },
		upload.InternalFault:   func(o *pack.Options) { o.Contents = contents{err: errors.New("journal away")} },
	}
	for want, change := range tests {
		spool := t.TempDir()
		s := stage(t, spool, change)
		u := validated(t, s, idA)
		_, err := s.Run(t.Context(), u)
		if err == nil || upload.AsFault(err).Reason != want || ls(t, spool) != idA+".zip.part" {
			t.Errorf("%s: got %v, %s", want, err, ls(t, spool))
		}
	}
}

func TestALostOrDamagedCopyIsNoticed(t *testing.T) {
	t.Parallel()
	damage := map[string]func(path string) error{
		"removed":   os.Remove,
		"truncated": func(p string) error { return os.Truncate(p, 5) },
		"replaced":  func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) },
		"flipped": func(p string) error {
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(p, data, 0o600)
		},
	}
	for name, break1 := range damage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spool := t.TempDir()
			s := stage(t, spool, nil)
			u := validated(t, s, idA)
			if _, err := s.Run(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			if err := break1(filepath.Join(spool, idA+".zip")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Open(t.Context(), u); err == nil || upload.AsFault(err).Reason != upload.SpoolLost {
				t.Errorf("Open: got %v", err)
			}
			if name == "flipped" || name == "replaced" {
				return // Run looks at the size alone; Open catches the rest
			}
			if o, err := s.Run(t.Context(), u); err != nil || o.Name() != "resettled" || o.Reason() != upload.SpoolLost {
				t.Errorf("Run: got %q, %v", o.Name(), err)
			}
		})
	}
}

func TestPackingAgainDoesNotTakeTheDamagedCopyForTheNewOne(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	s := stage(t, spool, nil)
	durabletest.Write(t, filepath.Join(spool, idA+".zip"), strings.Repeat("x", 300))
	p, err := s.Begin(t.Context(), settled(idA))
	if err != nil {
		t.Fatal(err)
	}
	if got := ls(t, spool); got != idA+".zip.part" {
		t.Errorf("in the spool: %s", got)
	}
	p.Abort()
	p.Abort()
	if _, err := p.Write([]byte("x")); err == nil {
		t.Error("an aborted packing took bytes")
	}
	if got := ls(t, spool); got != "" {
		t.Errorf("after the abort: %s", got)
	}
}

func ls(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return strings.Join(names, " ")
}
