package journal

// Moment is a state of the journal as a whole. Who keeps the moment before which a
// look was begun need not look again while it is still [Moment.Same]: a second look
// would find what the first one did. The zero value is the same as none, not even
// as itself.
type Moment struct {
	changes int64
	known   bool
}

// MomentAfter is the moment after so many changes.
func MomentAfter(changes int64) Moment { return Moment{changes, true} }

// Moment is the present one: it moves with every transaction that has changed
// something. Where others write to the journal, too, nothing is known, and it is the
// same as none.
func (j *Journal) Moment() Moment {
	if j.commits == nil {
		return Moment{}
	}
	return MomentAfter(j.commits.changes.Load())
}

// Same reports whether nothing has changed between the two.
func (m Moment) Same(as Moment) bool { return m.known && m == as }
