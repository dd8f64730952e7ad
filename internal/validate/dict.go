package validate

import "github.com/hqms-sidecar/hqms-sidecar/internal/standard"

const (
	// shortCode is the length up to which codes are kept as numbers, with their
	// length in the highest byte.
	shortCode = 7
	// mostShort bounds the table of them.
	mostShort = 4096
)

// dictTable answers fast for the short codes in ASCII of a dictionary, and those
// are nearly all: one character is looked up as it is, more of them as a number.
type dictTable struct {
	one   [256]bool
	short []uint64 // a hash table with linear probing; 0: free
	shift uint8    // keeps as many bits of a hash as the table has places for
	dict  *standard.Dictionary
}

func newDictTable(d *standard.Dictionary) *dictTable {
	t := &dictTable{dict: d, shift: 62, short: make([]uint64, 4)}
	for len(t.short) < 2*min(len(d.Codes), mostShort) {
		t.short, t.shift = make([]uint64, 2*len(t.short)), t.shift-1
	}
	kept := 0
	for code := range d.Codes {
		switch {
		case len(code) == 0 || !isASCII([]byte(code)):
		case len(code) == 1:
			t.one[code[0]] = true
		case len(code) <= shortCode && kept < mostShort:
			t.short[t.place(shortNumber([]byte(code)))] = shortNumber([]byte(code))
			kept++
		}
	}
	return t
}

// place is where a number is, or would be; at least half of the places are free.
func (t *dictTable) place(n uint64) uint64 {
	i := n * 0x9e3779b97f4a7c15 >> t.shift
	for t.short[i] != 0 && t.short[i] != n {
		i = (i + 1) & (1<<(64-t.shift) - 1)
	}
	return i
}

// shortNumber is a code of at most shortCode bytes as a number.
func shortNumber(code []byte) uint64 {
	n := uint64(len(code))
	for _, b := range code {
		n = n<<8 | uint64(b)
	}
	return n
}

// hasShort reports whether v is surely in the dictionary, and ASCII.
func (t *dictTable) hasShort(v []byte) bool {
	switch {
	case len(v) == 1:
		return t.one[v[0]]
	case len(v) == 0 || len(v) > shortCode:
		return false
	}
	n := shortNumber(v)
	return t.short[t.place(n)] == n
}

func (t *dictTable) has(v []byte) bool { return t.hasShort(v) || t.dict.Has(v) }
