package durable

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
)

// Entry is a name in a directory, with its type (not its permissions).
type Entry struct {
	Name string
	Type fs.FileMode // type bits alone; unknown types are told by Look
}

// listBatch bounds how much of a directory is in memory at once.
const listBatch = 1024

// List streams the entries of the directory name ("." for the Dir itself) in
// no order, in constant memory however many there are. It ends after the first
// error.
func (d *Dir) List(name string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		root, err := d.at(OpReadDir, name)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		f, err := root.Open(name)
		if err != nil {
			yield(Entry{}, d.wrap(OpReadDir, err))
			return
		}
		defer f.Close() //nolint:errcheck // read only
		for {
			batch, err := f.ReadDir(listBatch)
			for _, e := range batch {
				if !yield(Entry{Name: e.Name(), Type: e.Type()}, nil) {
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(Entry{}, d.wrap(OpReadDir, err))
				}
				return
			}
		}
	}
}

// ListSorted is List, whole and sorted by name.
func (d *Dir) ListSorted(name string) ([]Entry, error) {
	var all []Entry
	for e, err := range d.List(name) {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
