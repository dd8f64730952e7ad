package optimal

import "slices"

// code is a Huffman code: for each symbol its length (0: none) and its bits, in
// the order in which they are written.
type code struct {
	lens []uint8
	bits []uint16
}

func newCode(n int) code { return code{make([]uint8, n), make([]uint16, n)} }

// leaf is a symbol and how often it is used.
type leaf struct {
	n   uint32
	sym uint16
}

// coder makes Huffman codes; it holds what it needs for that.
type coder struct {
	leaves  []leaf
	weights [2][]uint64
	isLeaf  [mostBits][]bool
	above   []uint16 // of each leaf, and then of each tree: the tree it is in
}

// make gives c the shortest code of counts whose lengths are most at most, and
// gives at least two symbols one: some decoders refuse a code of one.
func (k *coder) make(c *code, counts []uint32, most int) {
	clear(c.lens)
	k.leaves = k.leaves[:0]
	for s, n := range counts {
		if n > 0 {
			k.leaves = append(k.leaves, leaf{n, uint16(s)})
		}
	}
	for s := uint16(0); len(k.leaves) < 2; s++ {
		if !slices.ContainsFunc(k.leaves, func(l leaf) bool { return l.sym == s }) {
			k.leaves = append(k.leaves, leaf{1, s})
		}
	}
	slices.SortFunc(k.leaves, func(a, b leaf) int {
		if a.n != b.n {
			return int(int64(a.n) - int64(b.n))
		}
		return int(a.sym) - int(b.sym)
	})
	if !k.pair(c, most) {
		k.packageMerge(c, most)
	}
	c.number()
}

// pair is Huffman's own way: the two lightest become a tree, until there is one. It
// fails where a code would be longer than most.
func (k *coder) pair(c *code, most int) bool {
	n := len(k.leaves)
	k.above = slices.Grow(k.above[:0], 2*n-1)[:2*n-1]
	trees := k.weights[0][:0] // in the order of their weight, as they come
	leaf, tree := 0, 0
	lightest := func(parent uint16) uint64 {
		if tree == len(trees) || leaf < n && uint64(k.leaves[leaf].n) <= trees[tree] {
			k.above[leaf] = parent
			leaf++
			return uint64(k.leaves[leaf-1].n)
		}
		k.above[n+tree] = parent
		tree++
		return trees[tree-1]
	}
	for len(trees) < n-1 {
		parent := uint16(n + len(trees)) //nolint:gosec // twice the symbols at most
		trees = append(trees, lightest(parent)+lightest(parent))
	}
	k.weights[0] = trees
	// From the root down, what is above becomes how deep.
	k.above[2*n-2] = 0
	for i := 2*n - 3; i >= 0; i-- {
		k.above[i] = k.above[k.above[i]] + 1
	}
	if int(k.above[0]) > most { // the lightest leaf is the deepest
		return false
	}
	for i, l := range k.leaves {
		c.lens[l.sym] = uint8(k.above[i]) //nolint:gosec // up to most
	}
	return true
}

// packageMerge finds the shortest code within the limit, level by level: pairs of
// the last level are merged with the leaves. Of a level a prefix is taken; how many
// of it are pairs says how long the prefix of the level below is; each leaf in a
// prefix makes its symbol's code one bit longer.
func (k *coder) packageMerge(c *code, most int) {
	last := k.weights[0][:0]
	for level := range most {
		next := k.weights[(level+1)&1][:0]
		mark := k.isLeaf[level][:0]
		pair, i := 0, 0
		for pair+1 < len(last) || i < len(k.leaves) {
			if i < len(k.leaves) && (pair+1 >= len(last) || uint64(k.leaves[i].n) <= last[pair]+last[pair+1]) {
				next, mark = append(next, uint64(k.leaves[i].n)), append(mark, true)
				i++
				continue
			}
			next, mark = append(next, last[pair]+last[pair+1]), append(mark, false)
			pair += 2
		}
		k.weights[(level+1)&1], k.isLeaf[level] = next, mark
		last = next
	}
	take := 2*len(k.leaves) - 2
	for level := most - 1; level >= 0; level-- {
		leaves := 0
		for _, isLeaf := range k.isLeaf[level][:take] {
			if isLeaf {
				c.lens[k.leaves[leaves].sym]++
				leaves++
			}
		}
		take = 2 * (take - leaves)
	}
}

// number gives each symbol its bits by the lengths.
func (c *code) number() {
	var count, next [mostBits + 2]uint16
	for _, n := range c.lens {
		count[n]++
	}
	count[0] = 0
	for n := 1; n <= mostBits; n++ {
		next[n+1] = (next[n] + count[n]) << 1
	}
	for s, n := range c.lens {
		if n > 0 {
			c.bits[s] = reversed(next[n], n)
			next[n]++
		}
	}
}

// cost is how many bits the counted symbols take in this code.
func (c *code) cost(counts []uint32) (sum uint64) {
	for s, n := range counts {
		sum += uint64(n) * uint64(c.lens[s])
	}
	return sum
}
