package watch

import (
	"io/fs"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Directory is the watched directory as the watch needs it. It may come and go.
type Directory interface {
	// Path is the directory's path.
	Path() string
	// Look gives a file's identity without following links. Errors:
	// fs.ErrNotExist of the file, durable.ErrNotRegular, durable.ErrNoDir when
	// the directory is not there, or another.
	Look(name string) (upload.Identity, error)
	// Each visits every entry, in no order and one after the other, and ends with
	// the first error. Before that, the entries are given to sift, many at a time
	// and from several goroutines at once, and those alone are visited that it
	// returns, in the same slice; it must not keep their names. nil: all are visited.
	Each(sift func([]Entry) []Entry, visit func(Entry) error) error
	// Plant makes an empty file, which must not exist.
	Plant(name string) error
	// Remove removes a file.
	Remove(name string) error
}

// Entry is one name in the directory.
type Entry struct {
	Name  string
	Type  fs.FileMode // type bits
	Inode uint64      // as the directory has it, which may not be the file's own; 0: not known

	look func(name string) (upload.Identity, error)
}

// Look is Directory.Look of the entry; while Each runs.
func (e Entry) Look() (upload.Identity, error) { return e.look(e.Name) }

// From makes the watched directory d fit the watch.
func From(d *durable.Dir) Directory { return directory{d} }

type directory struct{ *durable.Dir }

func (d directory) Plant(name string) error {
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	return f.Close()
}
