package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// figures are what a run tells of itself.
type figures struct {
	mu     sync.Mutex
	counts map[string]int
	notes  []string
}

func newFigures() *figures { return &figures{counts: map[string]int{}} }

func (f *figures) count(what string) { f.add(what, 1) }

func (f *figures) add(what string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[what] += n
}

func (f *figures) of(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[what]
}

func (f *figures) note(what, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, what+": "+value)
}

// String lists them, by name.
func (f *figures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, n := range f.notes {
		b.WriteString("\n    " + n)
	}
	for _, name := range slices.Sorted(maps.Keys(f.counts)) {
		fmt.Fprintf(&b, "\n    %-40s %6d", name, f.counts[name])
	}
	return b.String()
}
