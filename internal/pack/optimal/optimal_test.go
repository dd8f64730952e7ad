package optimal

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	fast "github.com/klauspost/compress/flate"
	"pgregory.net/rapid"
)

// pack compresses data, written in pieces of a size, and checks what must always hold.
func pack(t testing.TB, level int, data []byte, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := New()
	w.Reset(&out, level)
	for part := range slices.Chunk(data, piece) {
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	check(t, out.Bytes(), data)
	return out.Bytes()
}

// check inflates packed by two inflaters and compares.
func check(t testing.TB, packed, data []byte) {
	t.Helper()
	if most := len(data) + 5*(len(data)/(64<<10)+1) + 16; len(packed) > most {
		t.Errorf("%d bytes became %d, more than %d", len(data), len(packed), most)
	}
	for name, r := range map[string]io.Reader{"compress/flate": flate.NewReader(bytes.NewReader(packed)), "klauspost": fast.NewReader(bytes.NewReader(packed))} {
		back, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%s: %d bytes came back as %d, %v", name, len(data), len(back), err)
		}
	}
}

// rows is text like a table's.
func rows(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	words := []string{"男", "女", "其他", "2026-11-2", "发热", "J10.1", "北京市", "-", "0", "1", "12.5", "医保", "自费", "\"a,\"\"b\"\"\""}
	var b strings.Builder
	for b.Len() < n {
		for range 30 {
			b.WriteString(words[r.IntN(len(words))])
			if r.IntN(8) == 0 {
				b.WriteString(words[r.IntN(len(words))])
			}
			b.WriteByte(',')
		}
		b.WriteString("\r\n")
	}
	return []byte(b.String()[:n])
}

func noise(n int) []byte {
	b, r := make([]byte, n), rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestEverythingComesBack(t *testing.T) {
	t.Parallel()
	inputs := map[string][]byte{
		"nothing":                {},
		"one byte":               {0},
		"three":                  []byte("abc"),
		"the same byte":          bytes.Repeat([]byte{7}, chunkSize+11),
		"two bytes in turn":      bytes.Repeat([]byte{7, 8}, chunkSize),
		"noise":                  noise(chunkSize + 5),
		"rows":                   rows(1, 2*chunkSize+77),
		"a chunk":                rows(2, chunkSize),
		"a chunk and its behind": rows(3, chunkSize+behind),
		"one less":               rows(4, chunkSize+behind-1),
		"one more":               rows(5, chunkSize+behind+1),
		"from the window's end":  append(noise(window-1), noise(window-1)...),
		"just beyond the window": append(noise(window), noise(window)...),
		"rows, noise, rows":      slices.Concat(rows(7, 70_000), noise(70_000), rows(8, 70_000)),
		"all bytes in turn":      bytes.Repeat(upTo256(), 300),
	}
	for name, data := range inputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for level := Least; level <= Most; level += Most - Least {
				if level == Least || len(data) < chunkSize {
					pack(t, level, data, max(len(data), 1))
				}
			}
		})
	}
}

func upTo256() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// Text of few words, repeated near and far, with noise between: what trips
// match finders.
func TestWhateverIsWrittenComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var data []byte
		for range rapid.IntRange(0, 12).Draw(t, "parts") {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				data = append(data, rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "bytes")...)
			case 1:
				data = append(data, bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.IntRange(1, 9_000).Draw(t, "times"))...)
			default:
				if len(data) > 0 { // the same again, from anywhere
					from := rapid.IntRange(0, len(data)-1).Draw(t, "from")
					n := rapid.IntRange(1, 9_000).Draw(t, "n")
					data = append(data, data[from:min(from+n, len(data))]...)
				}
			}
		}
		packAny(t, data)
	})
}

func packAny(t *rapid.T, data []byte) {
	var out bytes.Buffer
	w := New()
	w.Reset(&out, rapid.IntRange(Least, Most).Draw(t, "level"))
	_, _ = w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	back, err := io.ReadAll(flate.NewReader(&out))
	if err != nil || !bytes.Equal(back, data) {
		t.Fatalf("%d bytes came back as %d, %v", len(data), len(back), err)
	}
}

func FuzzEverythingComesBack(f *testing.F) {
	f.Add([]byte("a,b,c\r\na,b,c\r\n"), uint16(3))
	f.Add(noise(300), uint16(900))
	f.Fuzz(func(t *testing.T, data []byte, times uint16) {
		whole := bytes.Repeat(data, 1+int(times)%512)
		if len(whole) > 2<<20 {
			return
		}
		for level := Least; level <= Most; level += Most - Least {
			pack(t, level, whole, 1+int(times))
		}
	})
}

func TestTheBytesDoNotDependOnThePieces(t *testing.T) {
	t.Parallel()
	data := rows(9, chunkSize+999)
	want := pack(t, 1, data, len(data))
	for _, piece := range []int{1000, chunkSize, chunkSize + behind} {
		if !bytes.Equal(pack(t, 1, data, piece), want) {
			t.Errorf("other bytes from pieces of %d", piece)
		}
	}
}

func TestAWriterCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	a, b := rows(10, chunkSize+5000), rows(11, 70_000)
	want := pack(t, 2, b, len(b))
	w := New()
	w.Reset(io.Discard, 2)
	_, _ = w.Write(a)
	w.Stop()
	if _, err := w.Write(a); err == nil {
		t.Error("a stopped writer took bytes")
	}
	for range 2 {
		var out bytes.Buffer
		w.Reset(&out, 2)
		_, _ = w.Write(b)
		if err := w.Close(); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d bytes, not the same %d; %v", out.Len(), len(want), err)
		}
	}
}

// More effort gives less, and the most effort much less than the fast encoder.
func TestEffortPays(t *testing.T) {
	t.Parallel()
	data := rows(12, (cold+2)*ChunkSize) // the first ones get all effort in any case
	var quick bytes.Buffer
	f, err := fast.NewWriter(&quick, 9)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write(data)
	_ = f.Close()
	last := len(data)
	for level := Least; level <= Most; level++ {
		n := len(pack(t, level, data, len(data)))
		if n >= last {
			t.Errorf("effort %d: %d bytes, %d with less", level, n, last)
		}
		last = n
	}
	if last > quick.Len()*97/100 {
		t.Errorf("%d bytes, %d from the fast encoder", last, quick.Len())
	}
}

// full fails when so many bytes are in it.
type full struct{ room int }

var errFull = errors.New("no space left on device")

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestAFaultOfTheUnderlyingWriterIsTold(t *testing.T) {
	t.Parallel()
	data := noise(5 * chunkSize)
	for _, room := range []int{0, 2 * chunkSize, 5*chunkSize - 1} {
		w := New()
		w.Reset(&full{room}, 1)
		var err error
		wrote := 0
		for part := range slices.Chunk(data, 4096) {
			var n int
			if n, err = w.Write(part); err != nil {
				break
			}
			wrote += n
		}
		if closed := w.Close(); !errors.Is(closed, errFull) || err != nil && !errors.Is(err, errFull) {
			t.Errorf("room for %d: %v, %v", room, err, closed)
		}
		if room == 0 && wrote == len(data) {
			t.Error("went on to the end although nothing could be written")
		}
	}
}

func TestAFaultOfOurOwnIsAnError(t *testing.T) {
	t.Parallel()
	w := New()
	w.Reset(io.Discard, 1)
	w.encoder.parser.cost = nil
	_, _ = w.Write(rows(13, chunkSize))
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("got %v", err)
	}
}

// The codes are prefix codes within their limit that waste nothing.
func TestCodes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]int{headerMax, mostBits}).Draw(t, "most")
		n := map[int]int{headerMax: lenSyms, mostBits: litSyms}[most]
		counts := rapid.SliceOfN(rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Uint32Range(0, 1<<20)), n, n).Draw(t, "counts")
		if rapid.Bool().Draw(t, "steep") { // what makes an unlimited code too long
			clear(counts)
			for i := range rapid.IntRange(2, n).Draw(t, "used") { // by one bit, too
				counts[i] = 1 << min(i, 25)
			}
		}
		var k coder
		c := newCode(n)
		k.make(&c, counts, most)
		kraft := 0
		for s, l := range c.lens {
			if int(l) > most || counts[s] > 0 && l == 0 {
				t.Fatalf("symbol %d, used %d times, has %d bits", s, counts[s], l)
			}
			if l > 0 {
				kraft += 1 << (mostBits - l)
			}
		}
		if kraft != 1<<mostBits {
			t.Fatalf("not a complete code: %d", kraft)
		}
		shortest := newCode(n)
		k.packageMerge(&shortest, most)
		if got, want := c.cost(counts), shortest.cost(counts); got != want {
			t.Fatalf("%d bits, %d would do", got, want)
		}
	})
}
