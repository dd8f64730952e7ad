package optimal

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"testing"
)

// filled compresses data to just size bytes.
func filled(data []byte, size int64) ([]byte, error) {
	var out bytes.Buffer
	w := New()
	w.Reset(&out, Least)
	_, err := w.Write(data)
	err = errors.Join(err, w.CloseAt(size))
	return out.Bytes(), err
}

func TestWhatIsWrittenCanBeFilledUpToAnySize(t *testing.T) {
	t.Parallel()
	for n := range 9 { // inputs that end at various bits
		data := rows(uint64(n), 400+n)
		least := int64(len(pack(t, Least, data, len(data))))
		for size := least + 20; size < least+70; size++ {
			out, err := filled(data, size)
			if err != nil || int64(len(out)) != size {
				t.Fatalf("%d bytes, wanted %d: %v", len(out), size, err)
			}
			rest := bytes.NewReader(out)
			back, err := io.ReadAll(flate.NewReader(rest))
			if err != nil || !bytes.Equal(back, data) || rest.Len() != 0 {
				t.Fatalf("%d bytes come back as %d, %d are left over, %v", len(data), len(back), rest.Len(), err)
			}
		}
		for size := int64(0); size < least; size++ {
			if out, err := filled(data, size); !errors.Is(err, ErrTooLong) {
				t.Fatalf("%d bytes do not fit into %d: %v, %d were written", least, size, err, len(out))
			}
		}
	}
}

func TestItIsToldHowFarItIs(t *testing.T) {
	t.Parallel()
	data := rows(7, 3*ChunkSize+1000)
	var out bytes.Buffer
	var ins, outs []int64
	w := New()
	w.Reset(&out, Least)
	w.Tell(func(in, out int64) { ins, outs = append(ins, in), append(outs, out) })
	_, err := w.Write(data)
	w.Effort(Most)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	check(t, out.Bytes(), data)
	if len(ins) != 4 || ins[0] != ChunkSize || ins[3] != int64(len(data)) {
		t.Errorf("told of %v", ins)
	}
	if last := outs[len(outs)-1]; outs[0] <= 0 || outs[0] > outs[1] || last > int64(out.Len()) || last < int64(out.Len())-3 {
		t.Errorf("told of %v, %d were written", outs, out.Len())
	}
}
