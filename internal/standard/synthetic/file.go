package synthetic

import (
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Options say what file to make.
type Options struct {
	Library *standard.Library
	Channel upload.Channel
	Kind    upload.Kind
	Layout  string // id of the standard; empty: the first that the channel has for the kind
	Rows    int
	Seed    uint64
	Charset string    // "utf-8" (default) or "gb18030"
	BadRows int       // so many of the rows, spread over the file, have an error
	Now     time.Time // all visits are before; zero: 2024-06-01
}

// Generator makes the rows of one file.
type Generator struct {
	layout *standard.Layout
	rnd    *rand.Rand
	now    time.Time
	seed   uint64
	n      int
	spoil  int // column that bad rows get wrong; -1: none fits
	codes  [][]string
}

// New makes a generator; it fails when the library has no such layout.
func New(o Options) (*Generator, error) {
	for _, l := range o.Library.Layouts(o.Channel, o.Kind) {
		if o.Layout != "" && l.Standard != o.Layout {
			continue
		}
		if o.Now.IsZero() {
			o.Now = time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)
		}
		g := &Generator{layout: l, rnd: rand.New(rand.NewPCG(o.Seed, 17)), now: o.Now, seed: o.Seed} //nolint:gosec // invented data needs no secrecy
		g.prepare()
		return g, nil
	}
	return nil, fmt.Errorf("no layout of kind %q in standard %q on channel %q", o.Kind, o.Layout, o.Channel)
}

// Layout is what the rows are made for.
func (g *Generator) Layout() *standard.Layout { return g.layout }

// Header gives the column codes, in the standard's order.
func (g *Generator) Header() []string {
	header := make([]string, len(g.layout.Columns))
	for i, c := range g.layout.Columns {
		header[i] = c.Code
	}
	return header
}

// File writes a whole file.
func File(w io.Writer, o Options) error {
	g, err := New(o)
	if err != nil {
		return err
	}
	var closing io.Closer
	if o.Charset == "gb18030" {
		t := transform.NewWriter(w, simplifiedchinese.GB18030.NewEncoder())
		w, closing = t, t
	}
	out := csv.NewWriter(w)
	if err := out.Write(g.Header()); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	for i := range o.Rows {
		row := g.Row()
		if o.BadRows > 0 && (i+1)*o.BadRows/o.Rows > i*o.BadRows/o.Rows {
			g.Spoil(row)
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("write row: %w", err)
		}
	}
	if out.Flush(); out.Error() != nil {
		return fmt.Errorf("write rows: %w", out.Error())
	}
	if closing != nil {
		return closing.Close()
	}
	return nil
}
