package standard

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

//go:embed data
var embedded embed.FS

// Library is every standard known.
type Library struct {
	standards map[string]*Standard
	layouts   []*Layout // by standard id, then kind
}

// Load reads the embedded standards, and over them those of extra: a folder
// with one folder per standard; nil if nothing is mounted.
func Load(extra fs.FS) (*Library, error) {
	own, err := fs.Sub(embedded, "data")
	if err != nil {
		return nil, err
	}
	l := newLoader()
	if err := l.readAll(own); err != nil {
		return nil, fmt.Errorf("embedded standards: %w", err)
	}
	if extra != nil {
		if err := l.readAll(extra); err != nil {
			return nil, fmt.Errorf("mounted standards: %w", err)
		}
	}
	return l.library()
}

// Kind tells which kind of this channel a file's name belongs to: the name
// begins with one of its prefixes and ends in .csv, without regard to case.
func (lib *Library) Kind(channel upload.Channel, filename string) (upload.Kind, bool) {
	name := strings.ToLower(filename)
	if !strings.HasSuffix(name, ".csv") {
		return "", false
	}
	var best upload.Kind
	longest := 0
	for _, l := range lib.layouts {
		if !l.On(channel) {
			continue
		}
		if n := l.names(channel, name); n > longest {
			best, longest = l.Kind, n
		}
	}
	return best, longest > 0
}

// Kinds lists the kinds a channel takes, sorted.
func (lib *Library) Kinds(channel upload.Channel) []upload.Kind {
	var kinds []upload.Kind
	for _, l := range lib.layouts {
		if l.On(channel) && !slices.Contains(kinds, l.Kind) {
			kinds = append(kinds, l.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// Layouts lists the layouts a file of this kind may have on channel. An empty
// channel or kind stands for all.
func (lib *Library) Layouts(channel upload.Channel, kind upload.Kind) []*Layout {
	var all []*Layout
	for _, l := range lib.layouts {
		if (channel == "" || l.On(channel)) && (kind == "" || l.Kind == kind) {
			all = append(all, l)
		}
	}
	return all
}

// Standards lists the standards, by id.
func (lib *Library) Standards() []*Standard {
	all := make([]*Standard, 0, len(lib.standards))
	for _, s := range lib.standards {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Standard) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Standard finds a standard by its id.
func (lib *Library) Standard(id string) (*Standard, bool) {
	s, ok := lib.standards[id]
	return s, ok
}

// Choose tells by its header which layout a file has: the one that knows the
// most of the header's columns and misses the fewest required ones. It is nil
// when no layout knows any column.
func (lib *Library) Choose(channel upload.Channel, kind upload.Kind, header []string) *Layout {
	var best *Layout
	bestScore := 0
	for _, l := range lib.Layouts(channel, kind) {
		known, missing := l.fit(header)
		score := 2*known - missing
		if known > 0 && (best == nil || score > bestScore) {
			best, bestScore = l, score
		}
	}
	return best
}

// fit counts the header's columns that l knows, and l's required ones that the
// header lacks.
func (l *Layout) fit(header []string) (known, missing int) {
	seen := make([]bool, len(l.Columns))
	for _, code := range header {
		if i, ok := l.Column(code); ok && !seen[i] {
			seen[i] = true
			known++
		}
	}
	for i, c := range l.Columns {
		if c.Need == Required && !seen[i] {
			missing++
		}
	}
	return known, missing
}
