package watch

// A rescan reads every name, and where events can be trusted it looks at a share of
// the known files only, by turns: docs/adr/0020-looks-by-turns.md. Each file has its place on a ring for
// as long as it has its inode; a rescan looks at the files of some places in a row, and
// the next one goes on from there. However many places a rescan takes, and whatever
// comes and goes in the directory, the ring is gone round in so many rescans at most.
const (
	places = 64     // on the ring
	rounds = 8      // rescans in which each file is looked at once at least
	looks  = 16_384 // that a rescan makes at least, if there is as much to look at
)

// turns says whose turn it is. The zero value is good.
type turns struct{ next uint64 }

// take gives the share of a rescan that knows so many files, and is to look at so many.
func (t *turns) take(known, looks int) share {
	count := uint64(places)
	if known > looks {
		count = max(uint64(places*looks/known), places/rounds) //nolint:gosec // neither is negative
	}
	s := share{from: t.next, count: count}
	t.next = (t.next + count) % places
	return s
}

// share is some places in a row.
type share struct{ from, count uint64 }

// all is the share of a rescan that looks at every file.
var all = share{count: places}

// has reports whether a file of that inode is looked at.
func (s share) has(inode uint64) bool { return (placeOf(inode)-s.from)%places < s.count }

// placeOf gives a file's place. Files whose inodes lie side by side on the disk have the
// same, so that a cold cache is filled with a share of the disk's blocks, too. Which
// place it is is stirred, since exporters may take every so-manieth inode.
func placeOf(inode uint64) uint64 {
	const together, golden = 4, 0x9E3779B97F4A7C15 // 2^64 by the golden ratio
	return (inode >> together) * golden >> 58      // 6 bits: places
}

// trusts reports whether events are heard here of all that this machine does to the
// files, as far as anybody can say: the watch is whole, its self-test has passed, and
// no other machine writes to them.
func (o *owner) trusts() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.local && o.status.Events == EventsOn && o.status.EventsDetail == "" && o.status.SelfTest == TestOK
}

// turn says at which of the known files a rescan looks that begins now.
func (o *owner) turn() share {
	if o.whole || !o.trusts() {
		return all
	}
	for name := range o.pending.byName {
		if f := o.known[name]; f != nil {
			f.waits = true
		}
	}
	return o.round.take(len(o.known), o.opts.Looks)
}

// skips reports whether a file need not be looked at: its name leads to the same file
// as before, nothing is waited for, and it is not its turn.
func (s *scan) skips(f *file, e *Entry) bool {
	return e.Inode == f.id.Inode && e.Inode != 0 && e.Type == 0 && !f.open && !f.waits && !s.turn.has(e.Inode)
}
