package pack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha-256:" + hex.EncodeToString(sum[:])
}

// waiting packs text at the usual level, and has it wait to be sent.
func waiting(t *testing.T, spool, text string) (*pack.Stage, upload.Upload) {
	t.Helper()
	s := stage(t, spool, func(o *pack.Options) {
		o.Sources = map[upload.Channel]pack.Source{upload.Flu: source{id: upload.Identity{Size: int64(len(text))}}}
	})
	u := settled(idA)
	u.Source, u.Digest = upload.Identity{Size: int64(len(text))}, digestOf([]byte(text))
	u, err := packAll(s, u, text, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := s.Run(t.Context(), u); err != nil || o.Name() != "packed" {
		t.Fatalf("%s, %v", o.Name(), err)
	}
	return s, u
}

// recompress begins to make a copy smaller, and waits until it is known how much.
func recompress(ctx context.Context, s *pack.Stage, u upload.Upload, level int) (*pack.Recompression, error) {
	r := s.Recompress(ctx, u, level, 0)
	if r == nil {
		return nil, pack.ErrNoGain
	}
	if err := r.Ready(ctx); err != nil {
		return r, errors.Join(err, r.Close())
	}
	return r, nil
}

// mixed is text whose second half is of another kind than its first.
func mixed(n int, second string) string {
	return table(n/2) + strings.Repeat(second, n/2/len(second)+1)[:n/2]
}

func TestAPackedCopyIsMadeSmallerWhileItIsSent(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a feed": table(3 << 20), "its end is easier": mixed(3<<20, "医院,2026-11-21,-,-\r\n"), "its end is empty": mixed(3<<20, "\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, u := waiting(t, t.TempDir(), text)
			r, err := recompress(t.Context(), s, u, pack.MostLevel)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			if r.Size() >= u.PackedSize || r.Digest() != "" {
				t.Errorf("%d bytes, was %d; digest %q", r.Size(), u.PackedSize, r.Digest())
			}
			if _, err := r.Seek(0, io.SeekStart); err != nil {
				t.Error(err)
			}
			// net/http reads as many bytes as it has announced, and not on to the end;
			// the maker needs a moment after it has handed the last piece over.
			data := make([]byte, r.Size())
			n, err := io.ReadFull(r, data)
			if digest := r.Digest(); err != nil || digest != digestOf(data) {
				t.Fatalf("%d bytes of %d, %s, %v", n, r.Size(), digest, err)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("%d bytes more, %v", n, err)
			}
			t.Logf("%d → %d → %d bytes", len(text), u.PackedSize, len(data))
			if _, err := r.Seek(0, io.SeekStart); err == nil {
				t.Error("it can be read twice")
			}
			sameEntry(t, data, text)
		})
	}
}

// sameEntry checks that a zip holds text under the name of the source, with nothing
// before, between or after.
func sameEntry(t *testing.T, data []byte, text string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(z.File) != 1 || z.Comment != "" {
		t.Fatalf("not a zip of one entry: %v", err)
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	back, err := io.ReadAll(f) // and compares the checksum
	if err != nil || string(back) != text || z.File[0].Name != settled(idA).Filename {
		t.Errorf("%q: %d bytes, not the %d that went in: %v", z.File[0].Name, len(back), len(text), err)
	}
}

func TestACopyThatOutgrowsWhatWasForetoldIsSentAsItIs(t *testing.T) {
	t.Parallel()
	// The first half becomes a tenth smaller than before, the second, of random
	// letters, hardly at all: it could not be foretold.
	text := table(1<<20) + random(2<<20)
	s, u := waiting(t, t.TempDir(), text)
	r, err := recompress(t.Context(), s, u, pack.MostLevel)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if !errors.Is(err, pack.ErrOutgrown) || n >= r.Size() || r.Digest() != "" {
		t.Errorf("%d bytes of %d, %v", n, r.Size(), err)
	}
	_ = r.Close()
	if _, err := recompress(t.Context(), s, u, pack.MostLevel); !errors.Is(err, pack.ErrNoGain) {
		t.Errorf("it is tried again: %v", err)
	}
	if f, _, err := s.Open(t.Context(), u); err != nil {
		t.Errorf("it cannot be sent as it is: %v", err)
	} else {
		_ = f.Close()
	}
}

// random is text that no encoder makes much of.
func random(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
		b.WriteString(hex.EncodeToString(sum[:]))
	}
	return b.String()[:n]
}

func TestWhatIsNotTheSourceIsNeverSentWhole(t *testing.T) {
	t.Parallel()
	s, u := waiting(t, t.TempDir(), table(2<<20))
	u.Digest = "sha-256:other"
	r, err := recompress(t.Context(), s, u, pack.MostLevel)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	n, err := io.Copy(io.Discard, r)
	if upload.AsFault(err).Reason != upload.SpoolLost || n >= r.Size() {
		t.Errorf("%d bytes of %d, %v", n, r.Size(), err)
	}
}

func TestWhereItIsNotWorthItACopyIsSentAsItIs(t *testing.T) {
	t.Parallel()
	s, u := waiting(t, t.TempDir(), table(3<<20))
	first, err := recompress(t.Context(), s, u, pack.MostLevel)
	if err != nil {
		t.Fatal(err)
	}
	second, err := recompress(t.Context(), s, u, pack.MostLevel)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recompress(t.Context(), s, u, pack.MostLevel); !errors.Is(err, pack.ErrNoGain) {
		t.Errorf("a third one at a time: %v", err)
	}
	_, _ = first.Close(), second.Close() // unread, and with that ended
	if third, err := recompress(t.Context(), s, u, pack.MostLevel); err != nil {
		t.Errorf("after the others have ended: %v", err)
	} else {
		_ = third.Close()
	}
	if _, err := recompress(t.Context(), s, u, pack.DefaultLevel); !errors.Is(err, pack.ErrNoGain) {
		t.Errorf("at a quick level: %v", err)
	}
	s, u = waiting(t, t.TempDir(), random(2<<20))
	if _, err := recompress(t.Context(), s, u, pack.MostLevel); !errors.Is(err, pack.ErrNoGain) {
		t.Errorf("of what cannot be made smaller: %v", err)
	}
	s, u = waiting(t, t.TempDir(), table(1000))
	if _, err := recompress(t.Context(), s, u, pack.MostLevel); !errors.Is(err, pack.ErrNoGain) {
		t.Errorf("of a small one: %v", err)
	}
}

func TestARecompressionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, u := waiting(t, t.TempDir(), table(16<<20))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := recompress(ctx, s, u, pack.MostLevel)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_ = r.Close()
}

func TestADamagedCopyIsNotMadeSmaller(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	s, u := waiting(t, spool, table(2<<20))
	name := filepath.Join(spool, idA+".zip")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := recompress(t.Context(), s, u, pack.MostLevel); upload.AsFault(err).Reason != upload.SpoolLost {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsChosenWhileSending(t *testing.T) {
	t.Parallel()
	const size, packed = 16 << 20, 3 << 20
	for name, c := range map[string]struct {
		link, limit float64
		source      int64
		least, most int
	}{
		"at 2 Mbit/s the highest":            {250_000, 0, size, pack.MostLevel - 1, pack.MostLevel - 1},
		"at 10 Mbit/s one that keeps up":     {1_250_000, 0, size, 10, 11},
		"at 100 Mbit/s none keeps up":        {12_500_000, 0, size, 0, 0},
		"with a limit, as with a slow link":  {12_500_000, 250_000, size, pack.MostLevel - 1, pack.MostLevel - 1},
		"nothing is known of the link":       {0, 0, size, 0, 0},
		"a small file is packed well before": {250_000, 0, 100_000, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := pack.NewChooser(map[upload.Channel]float64{upload.Flu: c.link})
			if got, _ := ch.WhileSending(upload.Flu, c.source, packed, c.limit); got < c.least || got > c.most {
				t.Errorf("level %d", got)
			}
		})
	}
	ch := pack.NewChooser(map[upload.Channel]float64{upload.Flu: 250_000})
	if got := ch.Level(upload.Flu, size, pack.Circumstances{WhileSending: true}); got != pack.DefaultLevel {
		t.Errorf("packed at level %d before it is packed anew while it is sent", got)
	}
	if got := ch.Level(upload.Flu, size, pack.Circumstances{WhileSending: true, Ahead: 100 << 20}); got <= 9 {
		t.Errorf("packed at level %d behind others", got)
	}
	for range 20 { // a machine that is busy
		ch.Packed(upload.Flu, pack.DefaultLevel, size, packed, 5*time.Second)
	}
	if got, _ := ch.WhileSending(upload.Flu, size, packed, 0); got == pack.MostLevel-1 {
		t.Error("a machine that is busy does not keep up at the highest level")
	}
}
