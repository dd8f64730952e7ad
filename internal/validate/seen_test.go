package validate

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestSeenSetRemembersLikeAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, ref := newSeenSet(), map[uint64]int64{}
		for i, key := range rapid.SliceOfN(rapid.Uint64Range(0, 3000), 0, 4000).Draw(t, "keys") {
			row := int64(i + 2)
			first, again := s.see(key, row)
			if key == 0 {
				key = 1
			}
			want, known := ref[key]
			if again != known || first != want {
				t.Fatalf("key %d: %d %v, want %d %v", key, first, again, want, known)
			}
			if !known {
				ref[key] = row
			}
		}
	})
}

func TestSeenSetForgetsTheOldestAndStaysSmall(t *testing.T) {
	t.Parallel()
	s := newSeenSet()
	for i := range int64(3 * generation) {
		s.see(uint64(i)*0x9e3779b97f4a7c15+7, i+2)
	}
	if n := len(s.young.keys) + len(s.old.keys); n > 4*generation {
		t.Errorf("%d places", n)
	}
	last := int64(3*generation - 1)
	if first, again := s.see(uint64(last)*0x9e3779b97f4a7c15+7, 9); !again || first != last+2 {
		t.Errorf("the last key: %d %v", first, again)
	}
}

// It runs by itself: it measures the heap of the whole process.
func TestMemoryStaysBoundedOnALongFile(t *testing.T) {
	lib := library(t)
	var block bytes.Buffer
	if err := synthetic.File(&block, synthetic.Options{Library: lib, Channel: upload.Flu, Kind: "flu", Rows: 4000, Charset: CharsetGB18030}); err != nil {
		t.Fatal(err)
	}
	header, rows, _ := strings.Cut(block.String(), "\n")
	body, first := []byte(rows), append([]byte(header), '\n')
	block.Reset()
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	c := NewChecker(lib, upload.Flu, "flu", Options{Now: noon})
	_, _ = c.Write(first)
	peak := uint64(0)
	for n := 0; n < 64<<20; n += len(body) {
		_, _ = c.Write(body)
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapInuse)
	}
	r := c.Close()
	if used := int64(peak) - int64(before.HeapInuse); used > 16<<20 {
		t.Errorf("%d rows took %d MiB", r.Rows, used>>20)
	}
}
