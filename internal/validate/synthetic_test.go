package validate

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestRowsMadeFromTheStandardRaiseNoFinding(t *testing.T) {
	t.Parallel()
	lib := library(t)
	for _, ch := range []upload.Channel{upload.Flu, upload.HQMS} {
		for _, l := range lib.Layouts(ch, "") {
			t.Run(fmt.Sprintf("%s %s %s", ch, l.Standard, l.Kind), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(t *rapid.T) {
					var b bytes.Buffer
					charset := rapid.SampledFrom([]string{CharsetUTF8, CharsetGB18030}).Draw(t, "charset")
					o := synthetic.Options{Library: lib, Channel: ch, Kind: l.Kind, Layout: l.Standard, Rows: 5, Seed: rapid.Uint64().Draw(t, "seed"), Charset: charset}
					if err := synthetic.File(&b, o); err != nil {
						t.Fatal(err)
					}
					c := NewChecker(lib, ch, l.Kind, Options{Now: noon})
					_, _ = c.Write(b.Bytes())
					r := c.Close()
					if got := lines(r); got != "" || r.Rows != 5 || r.Standard != l.Standard || r.Charset != charset {
						t.Fatalf("%d rows of %s in %s, findings:\n%s", r.Rows, r.Standard, r.Charset, got)
					}
				})
			})
		}
	}
}

func TestBadRowsAreExactlyTheRowsInError(t *testing.T) {
	t.Parallel()
	lib := library(t)
	for _, ch := range []upload.Channel{upload.Flu, upload.HQMS} {
		for _, l := range lib.Layouts(ch, "") {
			var b bytes.Buffer
			o := synthetic.Options{Library: lib, Channel: ch, Kind: l.Kind, Layout: l.Standard, Rows: 20, Seed: 3, BadRows: 7}
			if err := synthetic.File(&b, o); err != nil {
				t.Fatal(err)
			}
			c := NewChecker(lib, ch, l.Kind, Options{Now: noon})
			_, _ = c.Write(b.Bytes())
			if r := c.Close(); r.RowsInError != 7 || r.Rows != 20 {
				t.Errorf("%s %s: %d of %d rows in error", l.Standard, l.Kind, r.RowsInError, r.Rows)
			}
		}
	}
}
