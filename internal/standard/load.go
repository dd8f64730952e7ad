package standard

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// version is the version of the file format that this program reads.
const version = "1"

// errFormat is the reason in every refusal of a data file.
var errFormat = errors.New("not a standard file")

// draft is a layout while its files are read: rules wait as records until all
// columns are known.
type draft struct {
	layout *Layout
	dicts  []string // dictionary names by column
	rules  []record
}

// record is one line of a file.
type record struct {
	file   string
	line   int
	fields []string
}

func (r record) fail(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", r.file, r.line, fmt.Sprintf(format, args...))
}

// field gives the i-th field; empty beyond the end.
func (r record) field(i int) string {
	if i < len(r.fields) {
		return strings.TrimSpace(r.fields[i])
	}
	return ""
}

// loader gathers the files of all folders.
type loader struct {
	standards map[string]*Standard
	drafts    []*draft
}

func newLoader() *loader { return &loader{standards: map[string]*Standard{}} }

// readAll reads every <standard>/<file>.csv of fsys, in order of names.
func (l *loader) readAll(fsys fs.FS) error {
	if _, err := fs.Stat(fsys, "."); err != nil {
		return fmt.Errorf("folder of standards: %w", err)
	}
	if loose, err := fs.Glob(fsys, "*.csv"); err != nil || len(loose) > 0 {
		return fmt.Errorf("%w: %s must lie in a folder named after its standard", errFormat, strings.Join(loose, ", "))
	}
	names, err := fs.Glob(fsys, "*/*.csv")
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") || strings.Contains(name, "..") {
			continue // the bookkeeping of a Kubernetes volume
		}
		if err := l.readFile(fsys, name); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) readFile(fsys fs.FS, name string) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	in := &reading{loader: l, std: l.standard(path.Dir(name)), touched: map[string]bool{}}
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace = '#', -1, true
	for first := true; ; first = false {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			if first {
				return fmt.Errorf("%s: %w: empty", name, errFormat)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		rec := record{file: name, line: line, fields: fields}
		if first {
			rec.fields[0] = strings.TrimPrefix(rec.fields[0], "\ufeff")
			err = checkVersion(rec)
		} else {
			err = in.take(rec)
		}
		if err != nil {
			return err
		}
	}
}

func checkVersion(r record) error {
	if r.field(0) != "format" {
		return r.fail("the first record must be format,%s", version)
	}
	if r.field(1) != version {
		return r.fail("format %q is not known; this program reads %s", r.field(1), version)
	}
	return nil
}

func (l *loader) standard(id string) *Standard {
	s, ok := l.standards[id]
	if !ok {
		s = &Standard{ID: id, TitleZH: id, TitleEN: id, Dictionaries: map[string]*Dictionary{}}
		l.standards[id] = s
	}
	return s
}

func (l *loader) draft(std string, kind upload.Kind) *draft {
	for _, d := range l.drafts {
		if d.layout.Standard == std && d.layout.Kind == kind {
			return d
		}
	}
	d := &draft{layout: newLayout(std, kind)}
	l.drafts = append(l.drafts, d)
	return d
}

func newLayout(std string, kind upload.Kind) *Layout {
	return &Layout{
		Standard: std, Kind: kind, TitleZH: string(kind), TitleEN: string(kind),
		Severities: map[string]upload.Severity{}, Texts: map[string][2]string{}, byCode: map[string]int{},
	}
}

// dictionary looks a name up in a standard and then in its bases.
func (l *loader) dictionary(std, name string) *Dictionary {
	for range len(l.standards) + 1 { // a ring of bases ends here
		s, ok := l.standards[std]
		if !ok {
			return nil
		}
		if d := s.Dictionaries[name]; d != nil {
			return d
		}
		std = s.Base
	}
	return nil
}

// library ties columns to dictionaries and rules to columns.
func (l *loader) library() (*Library, error) {
	lib := &Library{standards: l.standards}
	for id, s := range l.standards {
		if _, ok := l.standards[s.Base]; s.Base != "" && !ok {
			return nil, fmt.Errorf("%s: base %q is not a known standard", id, s.Base)
		}
	}
	for _, d := range l.drafts {
		if err := l.finish(d); err != nil {
			return nil, err
		}
		lib.layouts = append(lib.layouts, d.layout)
	}
	slices.SortFunc(lib.layouts, func(a, b *Layout) int {
		if c := strings.Compare(a.Standard, b.Standard); c != 0 {
			return c
		}
		return strings.Compare(string(a.Kind), string(b.Kind))
	})
	return lib, nil
}

func (l *loader) finish(d *draft) error {
	y := d.layout
	where := y.Standard + "/" + string(y.Kind)
	if len(y.Columns) == 0 || len(y.Channels) == 0 || len(y.Prefixes) == 0 {
		return fmt.Errorf("%s: a kind needs at least one channel, one prefix and one column", where)
	}
	for i, name := range d.dicts {
		if name == "" {
			continue
		}
		dict := l.dictionary(y.Standard, name)
		if dict == nil {
			return fmt.Errorf("%s: column %s: dictionary %q is not defined", where, y.Columns[i].Code, name)
		}
		y.Columns[i].Dictionary = dict
	}
	y.Columns = append(make([]Column, 0, len(y.Columns)), y.Columns...) // kept as long as the program runs: no room to grow
	y.lists = l.lists(y.Standard)
	for _, r := range d.rules {
		rule, err := parseRule(y, r)
		if err != nil {
			return err
		}
		y.Rules = append(y.Rules, rule)
	}
	return nil
}

// lists gathers every dictionary a standard can see, by name.
func (l *loader) lists(std string) map[string]*Dictionary {
	all := map[string]*Dictionary{}
	for range len(l.standards) + 1 {
		s, ok := l.standards[std]
		if !ok {
			break
		}
		for name, d := range s.Dictionaries {
			if all[name] == nil {
				all[name] = d
			}
		}
		std = s.Base
	}
	return all
}
