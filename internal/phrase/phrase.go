package phrase

import (
	"embed"
	"encoding/csv"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

//go:embed *.csv
var files embed.FS

// Lang is a language of the catalogue.
type Lang string

// The languages.
const (
	Chinese Lang = "zh"
	English Lang = "en"
)

// Langs lists the languages, Chinese first.
func Langs() []Lang { return []Lang{Chinese, English} }

type entry struct{ zh, en string }

var catalogue = sync.OnceValue(func() map[string]entry {
	all, err := load(files)
	if err != nil {
		panic("phrase: embedded catalogue: " + err.Error()) // a test loads it; cannot happen in a release
	}
	return all
})

// Text is the phrase id in lang, its {parameters} filled in. An id that is not
// in the catalogue is returned as it is.
func Text(lang Lang, id string, params map[string]string) string {
	e, ok := catalogue()[id]
	if !ok {
		return id
	}
	text := e.zh
	if lang == English {
		text = e.en
	}
	if len(params) == 0 || !strings.Contains(text, "{") {
		return text
	}
	pairs := make([]string, 0, 2*len(params))
	for k, v := range params {
		pairs = append(pairs, "{"+k+"}", v)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Has reports whether the catalogue holds id.
func Has(id string) bool { _, ok := catalogue()[id]; return ok }

// IDs lists every id that begins with prefix, in no order.
func IDs(prefix string) []string {
	var ids []string
	for id := range catalogue() {
		if strings.HasPrefix(id, prefix) {
			ids = append(ids, id)
		}
	}
	return ids
}

func load(fsys fs.FS) (map[string]entry, error) {
	all := map[string]entry{}
	names, err := fs.Glob(fsys, "*.csv")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := loadFile(fsys, name, all); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

func loadFile(fsys fs.FS, name string, into map[string]entry) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	r := csv.NewReader(f)
	r.FieldsPerRecord, r.Comment = 3, '#'
	rows, err := r.ReadAll()
	if err != nil {
		return err
	}
	for i, row := range rows {
		id, zh, en := row[0], row[1], row[2]
		switch _, twice := into[id]; {
		case i == 0 && id == "id":
			continue
		case id == "" || zh == "" || en == "":
			return fmt.Errorf("row %d: id, zh and en must all be given", i+1)
		case twice:
			return fmt.Errorf("row %d: %s is defined twice", i+1, id)
		}
		into[id] = entry{zh: zh, en: en}
	}
	return nil
}
