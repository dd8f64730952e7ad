package validate

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// have is a set of columns by which other kinds refer to rows of this one.
type have struct {
	name    string
	columns []int
}

// findHaves looks through all layouts for links to files of this kind.
func (p *plan) findHaves(lib *standard.Library, kind upload.Kind) {
	if p.opts.Links == nil {
		return
	}
	for _, l := range lib.Layouts("", "") {
		for i := range l.Rules {
			r := &l.Rules[i]
			if r.Form != standard.FormLink || r.To != kind {
				continue
			}
			h := have{name: columnNames(l, r.Targets)}
			for code := range strings.SplitSeq(h.name, "+") {
				if at, ok := p.layout.Column(code); ok {
					h.columns = append(h.columns, at)
				}
			}
			if len(h.columns) == len(r.Targets) && !slices.ContainsFunc(p.haves, func(o have) bool { return o.name == h.name }) {
				p.ask(&standard.Rule{Targets: h.columns, Low: noMoment(), High: noMoment(), Birth: -1, Sex: -1})
				p.haves = append(p.haves, h)
			}
		}
	}
}

func noMoment() standard.Moment { return standard.Moment{Column: -1} }

// haveLinks gives away the keys by which other files may refer to this row.
func (c *Checker) haveLinks() {
	for i := range c.plan.haves {
		h := &c.plan.haves[i]
		if key, ok := c.linkKey(h.columns); ok {
			c.opts.Links.Have(c.kind, h.name, key)
		}
	}
}

// link asks for a row of another file.
func (c *Checker) link(b *bound) {
	if key, ok := c.linkKey(b.Targets); ok {
		c.opts.Links.Need(b.To, b.name, key, c.led.row, Ref{
			Rule: b.ID, Severity: c.led.book.rules[b.id].severity, Column: c.layout.Columns[b.Targets[0]].Code,
		})
	}
}

// linkKey makes one number of the values that identify a row, the same in every
// file; false if one of them is missing.
func (c *Checker) linkKey(columns []int) (uint64, bool) {
	key := uint64(fnvBasis)
	for _, col := range columns {
		v := c.plan.at(col)
		if !v.filled() || v.kind == isBad {
			return 0, false
		}
		raw := v.raw
		if v.dated() {
			raw = binary.BigEndian.AppendUint64(nil, uint64(v.n)) //nolint:gosec // bits, not a quantity
		}
		key = addField(key, raw)
	}
	return key, true
}

// The numbers of FNV-1a of 64 bits.
const (
	fnvBasis = 14_695_981_039_346_656_037
	fnvPrime = 1_099_511_628_211
)

// addField adds a value and a zero byte, its end, to a hash (FNV-1a).
func addField[T string | []byte](hash uint64, value T) uint64 {
	for i := range len(value) {
		hash = (hash ^ uint64(value[i])) * fnvPrime
	}
	return hash * fnvPrime
}

// Batch compares the keys of the files found together. The files are checked
// one after the other, each with Options.Links set to what File gives; Missing
// then tells for each what it refers to in vain. It keeps 8 bytes and more per
// row, up to a limit; beyond it links are no longer checked.
type Batch struct {
	kinds map[upload.Kind]bool
	have  map[batchKey]struct{}
	need  []batchNeed
	limit int
	full  bool
}

// batchKey is one number of a kind, its columns and their values in a row.
type batchKey uint64

func batchKeyOf(kind upload.Kind, columns string, key uint64) batchKey {
	return batchKey(addField(addField(key, string(kind)), columns))
}

type batchNeed struct {
	file    string
	kind    upload.Kind
	columns string
	key     batchKey
	row     int64
	ref     Ref
}

// NewBatch makes one for up to limit keys in all; 0: a million.
func NewBatch(limit int) *Batch {
	if limit <= 0 {
		limit = 1_000_000
	}
	return &Batch{kinds: map[upload.Kind]bool{}, have: map[batchKey]struct{}{}, limit: limit}
}

// File gives the Links of one file of the batch.
func (b *Batch) File(name string, kind upload.Kind) Links {
	b.kinds[kind] = true
	return &batchFile{batch: b, name: name}
}

type batchFile struct {
	batch *Batch
	name  string
}

// Have implements Links.
func (f *batchFile) Have(kind upload.Kind, columns string, key uint64) {
	if !f.batch.over() {
		f.batch.have[batchKeyOf(kind, columns, key)] = struct{}{}
	}
}

// Need implements Links.
func (f *batchFile) Need(to upload.Kind, columns string, key uint64, row int64, ref Ref) {
	if !f.batch.over() {
		f.batch.need = append(f.batch.need, batchNeed{f.name, to, columns, batchKeyOf(to, columns, key), row, ref})
	}
}

func (b *Batch) over() bool {
	b.full = b.full || len(b.have)+len(b.need) >= b.limit
	return b.full
}

// Missing gives, by file name, a finding for each row that refers to a row of
// another file of the batch that is not there. Kinds of which the batch has no
// file are not missed.
func (b *Batch) Missing() map[string][]upload.Finding {
	all := map[string][]upload.Finding{}
	if b.full {
		return all
	}
	for _, n := range b.need {
		if _, ok := b.have[n.key]; ok || !b.kinds[n.kind] {
			continue
		}
		all[n.file] = append(all[n.file], upload.Finding{
			Severity: n.ref.Severity, Rule: n.ref.Rule, Row: n.row, Column: n.ref.Column,
			Params: map[string]string{"kind": string(n.kind), "columns": n.columns},
		})
	}
	return all
}
