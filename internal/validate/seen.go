package validate

// generation is how many keys one half of a seenSet holds.
const generation = 1 << 17

// seenSet remembers keys and the rows they were seen in, the last 131,072 to
// 262,144 of them: in 8 MiB at most, however long the file is.
type seenSet struct {
	young, old map[uint64]uint32
}

func newSeenSet() *seenSet { return &seenSet{young: map[uint64]uint32{}} }

// see notes the key and tells in which row it was seen before.
func (s *seenSet) see(key uint64, row int64) (first int64, again bool) {
	if n, ok := s.young[key]; ok {
		return int64(n), true
	}
	if n, ok := s.old[key]; ok {
		return int64(n), true
	}
	if len(s.young) >= generation {
		s.old, s.young = s.young, make(map[uint64]uint32, generation)
	}
	s.young[key] = uint32(row) //nolint:gosec // a file has fewer rows than that
	return 0, false
}
