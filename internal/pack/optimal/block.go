package optimal

// lensOrder is the order in which the lengths of the code of lengths are told.
var lensOrder = [lenSyms]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// runBits is how many bits follow the symbols 16, 17 and 18 of that code.
var runBits = [3]uint8{2, 3, 7}

// block writes blocks.
type block struct {
	out        *bitWriter
	coder      coder
	lit, dist  code
	lens       code
	fixed      [2]code
	runs       []run // the lengths of both codes, in the code of lengths
	runCounts  [lenSyms]uint32
	told, lits int // how many lengths are told of lens, of lit
	dists      int // of dist
}

// run is a symbol of the code of lengths, with what follows it.
type run struct{ sym, extra uint8 }

func newBlock(out *bitWriter) *block {
	b := &block{out: out, lit: newCode(litSyms), dist: newCode(distSyms), lens: newCode(lenSyms)}
	b.fixed = [2]code{newCode(288), newCode(distSyms)}
	for s := range b.fixed[0].lens {
		n := uint8(8)
		if s >= 144 && s < 256 {
			n = 9
		}
		if s >= 256 && s < 280 {
			n = 7
		}
		b.fixed[0].lens[s] = n
	}
	for s := range b.fixed[1].lens {
		b.fixed[1].lens[s] = 5
	}
	b.fixed[0].number()
	b.fixed[1].number()
	return b
}

// write writes the way from from to to of c, in the smallest of the three forms.
func (b *block) write(p *parser, c *chunk, from, to int, h *histogram) {
	h.lit[endOf]++
	b.coder.make(&b.lit, h.lit[:], mostBits)
	b.coder.make(&b.dist, h.dist[:], mostBits)
	header := b.header()
	extra := extraBits(h)
	dynamic := header + extra + b.lit.cost(h.lit[:]) + b.dist.cost(h.dist[:])
	fixed := extra + b.fixed[0].cost(h.lit[:]) + b.fixed[1].cost(h.dist[:])
	stored := 8*uint64(to-from) + 40*uint64((to-from)/mostStored+1) //nolint:gosec // not negative
	switch {
	case stored < min(dynamic, fixed):
		b.stored(c.data[from:to])
	case fixed <= dynamic:
		b.out.put(1<<1, 3)
		b.symbols(p, c, from, to, &b.fixed[0], &b.fixed[1])
	default:
		b.out.put(2<<1, 3)
		b.tellCodes()
		b.symbols(p, c, from, to, &b.lit, &b.dist)
	}
}

// end writes the last block, which is empty.
func (b *block) end() {
	b.nothing(lastBlock)
	b.out.align()
	b.out.flush()
}

const lastBlock = 1 // the bit of the last block

// nothing writes an empty block with fixed codes: 10 bits.
func (b *block) nothing(final uint32) {
	b.out.put(final|1<<1, 3)
	b.out.put(uint32(b.fixed[0].bits[endOf]), b.fixed[0].lens[endOf])
}

// pause writes an empty stored block, which ends at a byte's end: from there on
// each is pauseSize bytes.
func (b *block) pause(final uint32) {
	b.out.put(final, 3)
	b.out.align()
	b.out.put(0xffff0000, 32)
}

const pauseSize = 5

// endAt is end where all that is written has to be size bytes; false: it does not
// fit, and nothing was written. Up to four empty blocks of 10 bits, stored ones
// without number, and a last one of either kind come to any size from some 20
// bytes more on.
func (b *block) endAt(size int64) bool {
	for small := range pauseSize {
		bits := b.out.bits() + 10*int64(small)
		paused := (bits+3+7)/8 + 4 // where the first stored block ends
		for _, end := range []struct {
			least  int64 // what there is without any more stored block
			finish func()
		}{
			{paused + 2, func() { b.nothing(lastBlock); b.out.align() }},
			{paused + pauseSize, func() { b.pause(lastBlock) }},
		} {
			more := size - end.least
			if more < 0 || more%pauseSize != 0 {
				continue
			}
			for range small {
				b.nothing(0)
			}
			for range 1 + more/pauseSize {
				b.pause(0)
			}
			end.finish()
			b.out.flush()
			return true
		}
	}
	return false
}

func extraBits(h *histogram) (sum uint64) {
	for s, n := range table.lengthBits {
		sum += uint64(n) * uint64(h.lit[endOf+1+s])
	}
	for s, n := range table.distBits {
		sum += uint64(n) * uint64(h.dist[s])
	}
	return sum
}

const mostStored = 1<<16 - 1

func (b *block) stored(data []byte) {
	for len(data) > 0 {
		n := min(len(data), mostStored)
		b.out.put(0, 3)
		b.out.align()
		b.out.put(uint32(n)|uint32(^uint16(n))<<16, 32)
		b.out.bytes(data[:n])
		data = data[n:]
	}
}

// symbols writes what the way takes.
func (b *block) symbols(p *parser, c *chunk, from, to int, lit, dist *code) {
	out := b.out
	for i := from; i < to; {
		m := p.step[i]
		if m == 0 {
			s := c.data[i]
			out.put(uint32(lit.bits[s]), lit.lens[s])
			i++
			continue
		}
		n, d := int(m>>16), m&0xffff
		ls, ds := table.length[n], distSym(d)
		s := endOf + 1 + int(ls)
		out.put(uint32(lit.bits[s])|uint32(n-int(table.lengthBase[ls]))<<lit.lens[s], lit.lens[s]+table.lengthBits[ls]) //nolint:gosec // not negative
		out.put(uint32(dist.bits[ds])|(d-uint32(table.distBase[ds]))<<dist.lens[ds], dist.lens[ds]+table.distBits[ds])
		i += n
	}
	out.put(uint32(lit.bits[endOf]), lit.lens[endOf])
}

// header lays out how the two codes are told, and gives the bits it takes.
func (b *block) header() uint64 {
	b.lits, b.dists = used(b.lit.lens, 257), used(b.dist.lens, 1)
	var all [litSyms + distSyms]uint8
	n := copy(all[:], b.lit.lens[:b.lits])
	n += copy(all[n:], b.dist.lens[:b.dists])
	b.runs = runsOf(b.runs[:0], all[:n])
	clear(b.runCounts[:])
	bits := uint64(5 + 5 + 4)
	for _, r := range b.runs {
		b.runCounts[r.sym]++
		if r.sym >= 16 {
			bits += uint64(runBits[r.sym-16])
		}
	}
	b.coder.make(&b.lens, b.runCounts[:], headerMax)
	for b.told = lenSyms; b.told > 4 && b.lens.lens[lensOrder[b.told-1]] == 0; {
		b.told--
	}
	return bits + 3*uint64(b.told) + b.lens.cost(b.runCounts[:]) //nolint:gosec // at most 19
}

// used is how many lengths have to be told.
func used(lens []uint8, least int) int {
	n := len(lens)
	for n > least && lens[n-1] == 0 {
		n--
	}
	return n
}

// runsOf puts lengths into the symbols of the code of lengths: 16 repeats the
// last one 3 to 6 times, 17 and 18 are 3 to 10 and 11 to 138 zeros.
func runsOf(runs []run, lens []uint8) []run {
	for i := 0; i < len(lens); {
		n, v := 1, lens[i]
		for i+n < len(lens) && lens[i+n] == v {
			n++
		}
		i += n
		if v != 0 {
			runs = append(runs, run{v, 0})
			n--
		}
		for n >= 3 {
			var r run
			var k int
			switch {
			case v != 0:
				k = min(n, 6)
				if n == 7 || n == 8 { // leaves no rest too short to be repeated
					k = n - 3 - (n-7)%2
				}
				r = run{16, uint8(k - 3)} //nolint:gosec // 2 bits
			case n > 10:
				k = min(n, 138)
				r = run{18, uint8(k - 11)}
			default:
				k = n
				r = run{17, uint8(k - 3)}
			}
			runs = append(runs, r)
			n -= k
		}
		for range n {
			runs = append(runs, run{v, 0})
		}
	}
	return runs
}

func (b *block) tellCodes() {
	b.out.put(uint32(b.lits-257)|uint32(b.dists-1)<<5|uint32(b.told-4)<<10, 14) //nolint:gosec // not negative
	for _, s := range lensOrder[:b.told] {
		b.out.put(uint32(b.lens.lens[s]), 3)
	}
	for _, r := range b.runs {
		b.out.put(uint32(b.lens.bits[r.sym]), b.lens.lens[r.sym])
		if r.sym >= 16 {
			b.out.put(uint32(r.extra), runBits[r.sym-16])
		}
	}
}
