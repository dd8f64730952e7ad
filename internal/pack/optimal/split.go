package optimal

const (
	// segments is how many pieces a chunk is cut into: blocks end where pieces do.
	segments = 32
	// leastSegment is how many symbols a piece has at least.
	leastSegment = 512
	// headerCost is about what it costs to tell the codes of one more block.
	headerCost = 70 * 8 * bit
)

// splitter decides where blocks end.
type splitter struct {
	pieces [segments]histogram
	ends   [segments + 1]int // positions
	best   [segments + 1]uint64
	from   [segments + 1]int
	sum    histogram
}

// split cuts the way that p has found through c into blocks and gives where
// they end. It tries every cut between pieces.
func (s *splitter) split(p *parser, c *chunk, ends []int) []int {
	n := s.cut(p, c)
	s.best[0] = 0
	for j := 1; j <= n; j++ {
		s.best[j] = ^uint64(0)
	}
	for i := range n {
		s.sum = histogram{}
		for j := i; j < n; j++ {
			s.sum.add(&s.pieces[j])
			if cost := s.best[i] + headerCost + s.sum.entropy(); cost < s.best[j+1] {
				s.best[j+1], s.from[j+1] = cost, i
			}
		}
	}
	first := len(ends)
	for j := n; j > 0; j = s.from[j] {
		ends = append(ends, s.ends[j])
	}
	for i, j := first, len(ends)-1; i < j; i, j = i+1, j-1 {
		ends[i], ends[j] = ends[j], ends[i]
	}
	return ends
}

// cut counts the symbols of each piece.
func (s *splitter) cut(p *parser, c *chunk) (n int) {
	symbols := 0
	for i := 0; i < len(c.data); symbols++ {
		i += max(int(p.step[i]>>16), 1)
	}
	each := max((symbols+segments-1)/segments, leastSegment)
	for at := 0; at < len(c.data); n++ {
		from := at
		for k := 0; k < each && at < len(c.data); k++ {
			at += max(int(p.step[at]>>16), 1)
		}
		s.pieces[n] = histogram{}
		p.walk(c, from, at, &s.pieces[n])
		s.ends[n+1] = at
	}
	return n
}

// entropy is what the symbols cost at least.
func (h *histogram) entropy() uint64 {
	return entropy(h.lit[:]) + entropy(h.dist[:])
}

func entropy(counts []uint32) uint64 {
	total, cost := uint32(0), uint64(0)
	for _, n := range counts {
		if n > 0 {
			total += n
			cost -= uint64(n) * uint64(log2(n))
		}
	}
	if total > 0 {
		cost += uint64(total) * uint64(log2(total))
	}
	return cost
}
