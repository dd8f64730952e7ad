package sandbox

import (
	"cmp"
	"maps"
	"slices"
)

// Report is all that a sandbox knows, as one consistent copy.
type Report struct {
	Items    []Arrival `json:"items"` // in the order of arrival
	Contents []Content `json:"contents"`
	Counts   Counts    `json:"counts"`
}

func (l *ledger) report() (Report, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rep := Report{Items: make([]Arrival, 0, len(l.deliveries)), Contents: make([]Content, 0, len(l.contents)), Counts: l.counts}
	rep.Counts.WrongLogins = maps.Clone(l.counts.WrongLogins)
	for _, d := range l.deliveries {
		a := d.Arrival
		if c := l.contents[d.key()]; c != nil && d.Digest != "" {
			a.Accepted = c.Accepted
		}
		rep.Items = append(rep.Items, a)
	}
	for _, c := range l.contents {
		rep.Contents = append(rep.Contents, *c)
	}
	slices.SortFunc(rep.Contents, func(a, b Content) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Account, b.Account))
	})
	return rep, l.changed
}
