package validate

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// benchFile makes about n bytes of one layout.
func benchFile(b *testing.B, ch upload.Channel, kind upload.Kind, layout string, n int, bad bool) []byte {
	b.Helper()
	var out bytes.Buffer
	rows := n / map[string]int{"flu-2.6": 330, "hqms-2019": 1500, "hqms-2020": 2000}[layout]
	o := synthetic.Options{Library: library(b), Channel: ch, Kind: kind, Layout: layout, Rows: rows, Charset: CharsetGB18030}
	if bad {
		o.BadRows = rows
	}
	if err := synthetic.File(&out, o); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// perCPU reports megabytes per second of processor time, which says what a core
// can do also where it is shared.
func perCPU(b *testing.B, n int) func() {
	used := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64(n)*float64(b.N)/1e6/(used()-start).Seconds(), "MB/cpu-s") }
}

func benchCheck(b *testing.B, ch upload.Channel, kind upload.Kind, text []byte) {
	lib := library(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	defer perCPU(b, len(text))()
	for b.Loop() {
		c := NewChecker(lib, ch, kind, Options{Now: noon})
		_, _ = c.Write(text)
		if r := c.Close(); r.Rows == 0 {
			b.Fatal("nothing read")
		}
	}
}

// BenchmarkCheck checks every cell of a GB18030 file.
func BenchmarkCheck(b *testing.B) {
	for _, bc := range []struct {
		name    string
		channel upload.Channel
		kind    upload.Kind
		layout  string
		bad     bool
	}{
		{"61 columns", upload.Flu, "flu", "flu-2.6", false},
		{"61 columns, every row wrong", upload.Flu, "flu", "flu-2.6", true},
		{"346 columns", upload.HQMS, "hqms", "flu-2.6", false},
		{"811 columns", upload.HQMS, "hqms", "hqms-2020", false},
		{"811 columns, every row wrong", upload.HQMS, "hqms", "hqms-2020", true},
	} {
		b.Run(bc.name, func(b *testing.B) {
			benchCheck(b, bc.channel, bc.kind, benchFile(b, bc.channel, bc.kind, bc.layout, 16<<20, bc.bad))
		})
	}
}

// BenchmarkYardstick reads the same file by encoding/csv over x/text, checking
// nothing.
func BenchmarkYardstick(b *testing.B) {
	for name, layout := range map[string]string{"61 columns": "flu-2.6", "811 columns": "hqms-2020"} {
		ch, kind := upload.HQMS, upload.Kind("hqms")
		if layout == "flu-2.6" {
			ch, kind = upload.Flu, "flu"
		}
		b.Run(name, func(b *testing.B) {
			text := benchFile(b, ch, kind, layout, 16<<20, false)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			defer perCPU(b, len(text))()
			for b.Loop() {
				r := csv.NewReader(simplifiedchinese.GB18030.NewDecoder().Reader(bytes.NewReader(text)))
				r.ReuseRecord = true
				for {
					if _, err := r.Read(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
