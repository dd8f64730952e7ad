package optimal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	fast "github.com/klauspost/compress/flate"
	"pgregory.net/rapid"
)

// packSmall compresses data with a writer that may have been used, in pieces of a size.
func packSmall(t testing.TB, w *Small, data []byte, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	w.Reset(&out)
	for part := range slices.Chunk(data, piece) {
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, out.Bytes(), data)
	return out.Bytes()
}

func TestWhatIsSmallComesBack(t *testing.T) {
	t.Parallel()
	w := NewSmall()
	for name, data := range map[string][]byte{
		"nothing":           {},
		"one byte":          {0},
		"three":             []byte("abc"),
		"four, twice":       []byte("abcdabcd"),
		"the same byte":     bytes.Repeat([]byte{7}, 3000),
		"two bytes in turn": bytes.Repeat([]byte{7, 8}, MostSmall/2),
		"noise":             noise(5000),
		"noise, all of it":  noise(MostSmall),
		"noise, twice":      slices.Concat(noise(MostSmall/2), noise(MostSmall/2)),
		"rows":              rows(1, 7000),
		"one less":          rows(2, MostSmall-1),
		"all":               rows(3, MostSmall),
		"one more":          rows(4, MostSmall+1),
		"several":           rows(5, 3*MostSmall+99),
		"all bytes in turn": bytes.Repeat(upTo256(), 100),
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // one writer for all: nothing of the one may be left for the next
			packed := packSmall(t, w, data, max(len(data), 1))
			for _, piece := range []int{1, 1000} {
				if !bytes.Equal(packSmall(t, NewSmall(), data, piece), packed) {
					t.Errorf("other bytes from a new writer, in pieces of %d", piece)
				}
			}
		})
	}
}

func TestWhateverIsSmallComesBack(t *testing.T) {
	t.Parallel()
	w := NewSmall()
	rapid.Check(t, func(t *rapid.T) {
		var data []byte
		for range rapid.IntRange(0, 12).Draw(t, "parts") {
			data = append(data, rapid.SliceOfN(rapid.ByteRange('a', 'd'), 0, 600).Draw(t, "text")...)
			if n := len(data); n > 0 { // the same again, from anywhere
				from := rapid.IntRange(0, n-1).Draw(t, "from")
				data = append(data, data[from:min(from+rapid.IntRange(1, 9_000).Draw(t, "n"), n)]...)
			}
		}
		var out bytes.Buffer
		w.Reset(&out)
		_, _ = w.Write(data)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		back, err := io.ReadAll(fast.NewReader(&out))
		if err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%d bytes came back as %d, %v", len(data), len(back), err)
		}
	})
}

// It is there for its speed, but makes nothing larger than the fast encoder does at
// its usual level.
func TestWhatIsSmallBecomesSmall(t *testing.T) {
	t.Parallel()
	w := NewSmall()
	for _, n := range []int{300, 2000, 7000, 20_000, MostSmall} {
		data := rows(uint64(n), n)
		var usual bytes.Buffer
		f, err := fast.NewWriter(&usual, 6)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(data)
		_ = f.Close()
		if got := len(packSmall(t, w, data, n)); got > usual.Len() {
			t.Errorf("%d bytes became %d, %d with the fast encoder", n, got, usual.Len())
		}
	}
}

func TestAFaultWhileASmallOneIsWrittenIsTold(t *testing.T) {
	t.Parallel()
	w, data := NewSmall(), noise(2*MostSmall)
	w.Reset(&full{room: MostSmall})
	_, _ = w.Write(data)
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	packSmall(t, w, data, 1000) // the next one is not touched by it
}

// BenchmarkSmall takes another writer each time, as files that come side by side
// do, and lets other things have the caches meanwhile.
func BenchmarkSmall(b *testing.B) {
	type compressor interface {
		io.WriteCloser
		Reset(w io.Writer)
	}
	data, others := rows(7, 6000), make([]byte, 48<<20)
	for name, make := range map[string]func() compressor{
		"small": func() compressor { return NewSmall() },
		"fast at level 6": func() compressor {
			w, _ := fast.NewWriter(io.Discard, 6) // the level is one
			return w
		},
	} {
		for _, warm := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s, warm %t", name, warm), func(b *testing.B) {
				writers, size := []compressor{make(), make()}, int64(0)
				for i := 0; b.Loop(); i++ {
					if !warm {
						b.StopTimer()
						for at := 0; at < len(others); at += 64 {
							others[at]++
						}
						b.StartTimer()
					}
					var out counter
					w := writers[i%len(writers)]
					w.Reset(&out)
					_, _ = w.Write(data)
					_ = w.Close()
					size = int64(out)
				}
				b.ReportMetric(float64(size), "bytes")
			})
		}
	}
}

// counter counts what is written.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func TestTablesAreHardlyLargerThanTheirSource(t *testing.T) {
	t.Parallel()
	data := rows(7, 3*MostSmall)
	for _, n := range []int{1, 4096, 6000, MostSmall - 1, MostSmall, len(data)} {
		w := NewSmall()
		packSmall(t, w, data[:n], n)
		if most := min(n+4095, MostSmall); len(w.before) > most || len(w.way.step) > most {
			t.Errorf("%d bytes: tables of %d and %d", n, len(w.before), len(w.way.step))
		}
		packSmall(t, w, data, len(data)) // which takes larger ones
	}
}
