package reconcile

import (
	"cmp"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Gap is rows that were exported and are not stored, for one reason. Rows may be
// below zero for CountDiffers: the server counted more than we did.
type Gap struct {
	Reason Reason
	Files  int64
	Rows   int64
}

// Sum is what files come to together. The zero Sum is of none.
type Sum struct {
	Files       int64 // counted
	NotCounted  int64
	Rows        Rows
	SourceBytes int64
	PackedBytes int64
	gaps        map[Reason]Gap
}

// Add adds a file.
func (s *Sum) Add(l Line) {
	if l.Uncounted != "" {
		s.NotCounted++
		return
	}
	s.Files++
	s.Rows.Exported += l.Rows.Exported
	s.Rows.Checked += l.Rows.Checked
	s.Rows.Sent += l.Rows.Sent
	s.Rows.Stored += l.Rows.Stored
	s.SourceBytes += l.SourceSize
	s.PackedBytes += l.PackedSize
	if l.Gap == "" {
		return
	}
	if s.gaps == nil {
		s.gaps = map[Reason]Gap{}
	}
	g := s.gaps[l.Gap]
	s.gaps[l.Gap] = Gap{l.Gap, g.Files + 1, g.Rows + l.Rows.Exported - l.Rows.Stored}
}

// Gaps lists what is missing, in the order of Reasons.
func (s *Sum) Gaps() []Gap {
	var all []Gap
	for _, r := range Reasons() {
		if g, there := s.gaps[r]; there {
			all = append(all, g)
		}
	}
	return all
}

// Balanced reports whether everything that was exported is stored.
func (s *Sum) Balanced() bool { return len(s.gaps) == 0 }

// Group is what an item of a report stands for.
type Group string

// The groups.
const (
	ByFile  Group = "file"
	ByDay   Group = "day"
	ByMonth Group = "month"
)

// Item is a part of a report: a file, or a kind's files of a day or month.
type Item struct {
	Channel upload.Channel
	Kind    upload.Kind
	Day     string // 2006-01-02; empty where grouped by month
	Month   string // 2006-01
	Sum     Sum
	File    *Line // nil unless grouped by file
}

// key tells items apart.
type key struct {
	channel    upload.Channel
	kind       upload.Kind
	day, month string
}

// Report gathers accounts, given in the order of their positions, into items and a total.
type Report struct {
	Group Group
	Zone  *time.Location
	After journal.Position // by file: items behind this place alone are kept; zero: all
	Limit int              // by file: at most so many items are kept; 0: all

	Total Sum
	items []*Item
	index map[key]*Item
	more  bool
}

// Add adds an upload.
func (r *Report) Add(a journal.Account) {
	l := LineOf(a)
	r.Total.Add(l)
	spotted := a.SpottedAt.In(r.Zone)
	k := key{a.Channel, a.Kind, spotted.Format("2006-01-02"), spotted.Format("2006-01")}
	if r.Group == ByMonth {
		k.day = ""
	}
	if r.Group == ByFile {
		r.addFile(k, l)
		return
	}
	i, known := r.index[k]
	if !known {
		if r.index == nil {
			r.index = map[key]*Item{}
		}
		i = k.item()
		r.index[k] = i
		r.items = append(r.items, i)
	}
	i.Sum.Add(l)
}

func (k key) item() *Item {
	return &Item{Channel: k.channel, Kind: k.kind, Day: k.day, Month: k.month}
}

func (r *Report) addFile(k key, l Line) {
	switch {
	case r.After != journal.Position{} && l.Position().Compare(r.After) <= 0:
	case r.Limit > 0 && len(r.items) == r.Limit:
		r.more = true
	default:
		i := k.item()
		i.File = &l
		i.Sum.Add(l)
		r.items = append(r.items, i)
	}
}

// Items are the items, the earliest first; by file in the order in which they were added.
func (r *Report) Items() []*Item {
	if r.Group != ByFile {
		slices.SortStableFunc(r.items, func(a, b *Item) int {
			return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Kind, b.Kind))
		})
	}
	return r.items
}

// Next is the cursor of the After of the next page; empty: that was all.
func (r *Report) Next() string {
	if !r.more {
		return ""
	}
	return r.items[len(r.items)-1].File.Position().String()
}
