package watch

import (
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ownPrefix begins every name that this program itself makes in a watched directory.
const ownPrefix = ".hqms-"

// class is what a name alone tells.
type class int

const (
	classOurs    class = iota
	classIgnored       // temporary, hidden, a marker
	classInvalid       // not UTF-8, or control characters in it
	classUnknown       // of no kind of this channel
)

// classify needs the kind only as far as the name is worth asking about.
func (w *Watcher) classify(name string) class {
	switch {
	case ignored(name):
		return classIgnored
	case !printable(name):
		return classInvalid
	}
	if _, ok := w.opts.Kinds(name); !ok {
		return classUnknown
	}
	return classOurs
}

// Ignored reports whether a file of that name is passed over: it is hidden, still
// being made, or a marker.
func Ignored(name string) bool { return ignored(name) }

// ignored reports whether name is one under which files are still being made,
// or a marker.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") || isMarker(name) || unfinished(name)
}

func isMarker(name string) bool { return hasSuffix(name, ".ok") || hasSuffix(name, ".done") }

func unfinished(name string) bool {
	return hasSuffix(name, ".tmp") || hasSuffix(name, ".part") || hasSuffix(name, ".partial") || hasSuffix(name, ".crdownload")
}

// temporary reports whether an exporter writes under name before it renames the
// finished file. Our own names are not: what we put back may still be written to.
func temporary(name string) bool {
	return ignored(name) && !isMarker(name) && !strings.HasPrefix(name, ownPrefix)
}

// marked lists the names that a marker called name may be about.
func marked(name string) []string {
	stem := strings.TrimSuffix(name, path.Ext(name))
	if hasSuffix(name, ".done") {
		return []string{stem}
	}
	return []string{stem, stem + ".csv", stem + ".CSV"}
}

func hasSuffix(name, suffix string) bool {
	return len(name) > len(suffix) && strings.EqualFold(name[len(name)-len(suffix):], suffix)
}

func printable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// escape makes any name fit to be shown.
func escape(name string) string {
	if printable(name) {
		return name
	}
	quoted := strconv.Quote(name)
	return quoted[1 : len(quoted)-1]
}
