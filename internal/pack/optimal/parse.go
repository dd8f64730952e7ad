package optimal

import "math/bits"

// bit is the unit that costs are counted in.
const bit = 64

// histogram counts the symbols of a stretch.
type histogram struct {
	lit  [litSyms]uint32
	dist [distSyms]uint32
}

func (h *histogram) add(o *histogram) {
	for i, n := range o.lit {
		h.lit[i] += n
	}
	for i, n := range o.dist {
		h.dist[i] += n
	}
}

// costs is what literals, lengths and distances cost, extra bits included.
type costs struct {
	lit  [256]uint32
	len  [mostLen + 1]uint32
	dist [distSyms]uint32
}

// set takes the costs from how often each symbol was used.
func (c *costs) set(h *histogram) {
	total := uint32(0)
	for _, n := range h.lit {
		total += n
	}
	cost := func(n, total uint32) uint32 {
		if n == 0 {
			return log2(max(total, 1)) + bit
		}
		return log2(total) - log2(n)
	}
	for i := range c.lit {
		c.lit[i] = cost(h.lit[i], total)
	}
	for n := leastLen; n <= mostLen; n++ {
		s := table.length[n]
		c.len[n] = cost(h.lit[endOf+1+int(s)], total) + bit*uint32(table.lengthBits[s])
	}
	total = 0
	for _, n := range h.dist {
		total += n
	}
	for s := range c.dist {
		c.dist[s] = cost(h.dist[s], total) + bit*uint32(table.distBits[s])
	}
}

// begin is what is assumed before anything is known: text with many matches.
func (c *costs) begin() {
	for i := range c.lit {
		c.lit[i] = 7 * bit
	}
	for n := leastLen; n <= mostLen; n++ {
		s := table.length[n]
		c.len[n] = (4+uint32(table.lengthBits[s]))*bit + bit*uint32(s)/8
	}
	for s := range c.dist {
		c.dist[s] = (4 + uint32(table.distBits[s])) * bit
	}
}

// parser finds the cheapest way through a chunk.
type parser struct {
	cost []uint32 // from a position to the end of the stretch
	step []match  // what to take there; 0: the literal
}

// stretch finds the way from from to to, c's positions; last is the number of
// c's matches before to.
func (p *parser) stretch(c *chunk, from, to, last int, k *costs) {
	cost, step := p.cost[:to-from+1], p.step[from:to]
	cost[to-from] = 0
	data, counts := c.data[from:to], c.counts[from:to]
	for i := len(step) - 1; i >= 0; i-- {
		best, take := k.lit[data[i]]+cost[i+1], match(0)
		n := int(counts[i])
		found := c.matches[last-n : last]
		last -= n
		l := leastLen
		for _, m := range found {
			top := min(int(m>>16), len(step)-i)
			dist := m & 0xffff
			far := k.dist[distSym(dist)]
			ahead := cost[i : i+top+1]
			lens := k.len[:len(ahead)]
			for ; l < len(ahead); l++ {
				l = min(int(table.lengthLast[l]), top)
				if to := far + lens[l] + ahead[l]; to < best {
					best, take = to, match(l)<<16|dist //nolint:gosec // at most 258
				}
			}
		}
		cost[i], step[i] = best, take
	}
}

// walk counts the symbols on the way from from to to.
func (p *parser) walk(c *chunk, from, to int, h *histogram) {
	for i := from; i < to; {
		m := p.step[i]
		if m == 0 {
			h.lit[c.data[i]]++
			i++
			continue
		}
		n := int(m >> 16)
		h.lit[endOf+1+int(table.length[n])]++
		h.dist[distSym(m&0xffff)]++
		i += n
	}
}

// logs are the binary logarithms of small numbers.
var logs = newLogs()

const logBits = 11

func newLogs() *[1 << logBits]uint32 {
	t := &[1 << logBits]uint32{}
	for n := 2; n < len(t); n++ {
		t[n] = uint32(fineLog2(uint64(n))) //nolint:gosec // below 64 × 11
	}
	return t
}

// fineLog2 is bit × log2(n), rounded: one binary digit after the other.
func fineLog2(n uint64) uint64 {
	whole := uint64(bits.Len64(n) - 1) //nolint:gosec // n is not 0
	x := n << (62 - whole) >> 31       // in [1, 2), 31 digits behind the point
	log := whole
	for range 12 {
		x = x * x >> 31
		log <<= 1
		if x >= 1<<32 {
			x >>= 1
			log |= 1
		}
	}
	return (log + 1<<5) >> 6
}

// log2 is bit × log2(n), n not 0.
func log2(n uint32) uint32 {
	shift := max(bits.Len32(n)-logBits, 0)
	return logs[n>>shift] + bit*uint32(shift) //nolint:gosec // at most 21
}
