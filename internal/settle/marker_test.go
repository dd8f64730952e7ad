package settle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestMarkerIsHeldAgainstTheFile(t *testing.T) {
	t.Parallel()
	const content = "P1,P2\n1,\"two\nlines\"\n3,4" // two data rows
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	other := strings.Repeat("0", 64)
	cases := map[string]struct{ marker, want string }{
		"empty":                     {"", "settled"},
		"words of the exporter":     {"finished by HIS\n", "settled"},
		"size fits":                 {fmt.Sprintf("size=%d\n", len(content)), "settled"},
		"size differs":              {"size=9", misfit},
		"rows fit":                  {"rows = 2", "settled"},
		"rows differ":               {"rows=3", misfit},
		"digest fits":               {"sha256=" + digest, "settled"},
		"digest fits in upper case": {"SHA256: " + strings.ToUpper(digest), "settled"},
		"digest differs":            {"sha256=" + other, misfit},
		"as sha256sum writes":       {digest + "  " + name + "\n", "settled"},
		"as sha256sum, differs":     {other + "  " + name + "\n", misfit},
		"JSON fits":                 {fmt.Sprintf(`{"size":%d,"rows":"2","sha256":"sha-256:%s","by":"HIS"}`, len(content), digest), "settled"},
		"JSON differs":              {`{"rows":7}`, misfit},
		"JSON broken":               {`{"rows":`, misfit},
		"size is no number":         {"size=many", misfit},
		"BOM in front":              {"\xef\xbb\xbfrows=2", "settled"},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write(name, content)
			w.write(name+".done", c.marker)
			if got := run(t, w.stage(Marker)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestMismatchNamesNoContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(name, "secret,cells\n")
	w.write(name+".ok", "rows=5\nsecret=cells")
	o, err := w.stage(Marker).Run(t.Context(), spotted())
	if err != nil || o.Detail() != "rows: the marker says 5, the file has 0" {
		t.Errorf("detail is %q, error %v", o.Detail(), err)
	}
}

func TestRefusedFileIsNotReadAgainUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(name, "a\n1\n")
	w.write(name+".ok", "rows=2")
	stage := w.stage(Marker)
	if got := run(t, stage); got != misfit {
		t.Fatal(got)
	}
	w.files[name].content = []byte("a\n1\n2\n") // unseen: the identity stays
	if got := run(t, stage); got != misfit {
		t.Errorf("%s: the file was read again", got)
	}
	w.write(name+".ok", "rows=2")
	if got := run(t, stage); got != "settled" {
		t.Errorf("%s: a new marker was not looked at", got)
	}
}

func TestComparingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(name, "a\n1\n")
	w.write(name+".ok", "rows=1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.stage(Marker).Run(ctx, spotted()); !errors.Is(err, context.Canceled) || upload.AsFault(err).Class != upload.Passing {
		t.Errorf("got %v", err)
	}
}

func TestRowsAreCountedAsTheCSVReaderDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringMatching(`[a-z,"\n\r\t 中]{0,6}`)
		rows := rapid.SliceOf(rapid.SliceOfN(cell, 2, 4)).Draw(t, "rows")
		var b bytes.Buffer
		out := csv.NewWriter(&b)
		out.UseCRLF = rapid.Bool().Draw(t, "crlf")
		if err := out.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		if rapid.Bool().Draw(t, "no final newline") {
			data = bytes.TrimRight(data, "\r\n")
		}
		c := rowCounter{start: true}
		for len(data) > 0 {
			n := rapid.IntRange(1, len(data)).Draw(t, "n")
			c.write(data[:n])
			data = data[n:]
		}
		if got := c.end(); got != int64(len(rows)) {
			t.Fatalf("counted %d records, want %d, in %q", got, len(rows), b.String())
		}
	})
}
