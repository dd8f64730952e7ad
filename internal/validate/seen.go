package validate

// generation is how many keys one half of a seenSet holds.
const generation = 1 << 16

// seenSet remembers keys and the rows they were seen in, the last 65,536 to
// 131,072 of them: in 3 MiB at most, however long the file is. That is more
// than a large hospital writes in a year, and a table that fits the processor's
// cache. Keys are hashes of 64 bits: among so many, two different rows meet by
// chance once in about two billion files.
type seenSet struct {
	young, old keyTable
}

func newSeenSet() *seenSet { return &seenSet{} }

// see notes the key and tells in which row it was seen before.
func (s *seenSet) see(key uint64, row int64) (first int64, again bool) {
	if key == 0 {
		key = 1 // 0 marks a free place
	}
	if n := s.old.find(key); n > 0 {
		return int64(n), true
	}
	n, again := s.young.put(key, uint32(row)) //nolint:gosec // a file has fewer rows than that
	if s.young.used >= generation {
		s.old, s.young = s.young, keyTable{}
	}
	return int64(n), again
}

// keyTable is a hash table with linear probing; its keys are hashes already.
type keyTable struct {
	keys []uint64
	rows []uint32
	used int
}

// find gives the row of a key; 0 if it is not there.
func (t *keyTable) find(key uint64) uint32 {
	if len(t.keys) == 0 {
		return 0
	}
	return t.rows[t.place(key)]
}

// put adds a key, or tells the row it is there with.
func (t *keyTable) put(key uint64, row uint32) (uint32, bool) {
	if 2*t.used >= len(t.keys) {
		t.grow()
	}
	i := t.place(key)
	if t.keys[i] == key {
		return t.rows[i], true
	}
	t.keys[i], t.rows[i] = key, row
	t.used++
	return 0, false
}

// place is where a key is, or would be.
func (t *keyTable) place(key uint64) int {
	mask := uint64(len(t.keys)) - 1
	i := key & mask
	for t.keys[i] != 0 && t.keys[i] != key {
		i = (i + 1) & mask
	}
	return int(i) //nolint:gosec // below the table's length
}

func (t *keyTable) grow() {
	old := *t
	size := max(1<<6, 2*len(old.keys))
	*t = keyTable{keys: make([]uint64, size), rows: make([]uint32, size), used: old.used}
	for i, key := range old.keys {
		if key != 0 {
			j := t.place(key)
			t.keys[j], t.rows[j] = key, old.rows[i]
		}
	}
}
