package config

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pace"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// loading is one run of Load. The library calls onSet with the variable's name
// right before the parser of its value; so a parser knows whose value it has,
// and notes a fault instead of returning an error that has lost the name.
type loading struct {
	fields           []field
	environ          map[string]string
	channelsOptional bool

	current  field
	faults   []Fault
	warnings []Fault
}

func (l *loading) onSet(name string, _ any, _ bool) {
	i := slices.IndexFunc(l.fields, func(f field) bool { return f.name == name })
	if i >= 0 {
		l.current = l.fields[i]
	}
}

func (l *loading) fault(variable, what string, pairs ...string) {
	l.faults = append(l.faults, newFault(variable, what, pairs...))
}

func (l *loading) warn(variable, what string, pairs ...string) {
	l.warnings = append(l.warnings, newFault(variable, what, pairs...))
}

func (l *loading) parsers() map[reflect.Type]env.ParserFunc {
	return map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[string]():          func(v string) (any, error) { return l.text(v), nil },
		reflect.TypeFor[int]():             func(v string) (any, error) { return l.number(v), nil },
		reflect.TypeFor[time.Duration]():   func(v string) (any, error) { return l.duration(v), nil },
		reflect.TypeFor[Bytes]():           func(v string) (any, error) { return l.bytes(v), nil },
		reflect.TypeFor[URL]():             func(v string) (any, error) { return l.url(v), nil },
		reflect.TypeFor[Secret]():          func(v string) (any, error) { return l.secret(v), nil },
		reflect.TypeFor[Coding]():          func(v string) (any, error) { return l.coding(v), nil },
		reflect.TypeFor[Parameters]():      func(v string) (any, error) { return l.parameters(v), nil },
		reflect.TypeFor[pace.Limits]():     func(v string) (any, error) { return l.limits(v), nil },
		reflect.TypeFor[calendar.Plan]():   func(v string) (any, error) { return l.plan(v), nil },
		reflect.TypeFor[pace.Week]():       func(v string) (any, error) { return l.week(v), nil },
		reflect.TypeFor[upload.Severity](): func(v string) (any, error) { return l.severity(v), nil },
	}
}

// text reads a variable that stays a string: an enumeration, a path, an
// address or a name, as its tags say.
func (l *loading) text(v string) string {
	f := l.current
	switch {
	case f.tag.Get("oneof") != "":
		return l.choice(v)
	case f.tag.Get("path") != "":
		return l.path(v)
	case f.tag.Get("form") == "address":
		return l.address(v)
	case f.tag.Get("form") == "date":
		return l.date(v)
	case f.tag.Get("form") == "header":
		return l.shaped(v, regexp.MustCompile(`^[!-~]([ -~]{0,254}[!-~])?$`), "bad_header")
	case f.tag.Get("form") == "parameter": // "-": none is sent
		return l.shaped(v, regexp.MustCompile(`^(-|[A-Za-z][A-Za-z0-9_.-]{0,63})$`), "bad_name")
	case f.tag.Get("form") == "urlpath":
		return l.shaped(v, regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`), "bad_urlpath")
	default:
		return l.shaped(v, regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`), "bad_name")
	}
}

func (l *loading) shaped(v string, form *regexp.Regexp, what string) string {
	if !form.MatchString(v) {
		l.fault(l.current.name, what)
	}
	return v
}

func (l *loading) choice(v string) string {
	want := strings.ToLower(v)
	all := l.current.choices()
	switch {
	case slices.Contains(all, want):
		return want
	case slices.Contains(split(l.current.tag.Get("later")), want):
		l.fault(l.current.name, "later_value", "value", want, "choices", strings.Join(all, ", "))
	default:
		l.noChoice(v, strings.Join(all, ", "))
	}
	return l.current.def
}

// noChoice refuses a value that is none of an enumeration's, with a suggestion
// where one is near.
func (l *loading) noChoice(v, choices string) {
	near := nearest(strings.ToLower(v), l.current.choices())
	if distance(strings.ToLower(v), near) > (len(near)+1)/2 {
		l.fault(l.current.name, "bad_choice", "value", quote(v), "choices", choices)
		return
	}
	l.fault(l.current.name, "bad_choice_near", "value", quote(v), "choices", choices, "nearest", near)
}

func (l *loading) severity(v string) upload.Severity {
	if s := l.choice(v); s != "never" {
		return upload.Severity(s)
	}
	return ""
}

func (l *loading) coding(v string) Coding {
	switch strings.ToLower(v) {
	case "national", "全国版":
		return National
	case "beijing", "北京版":
		return Beijing
	}
	l.noChoice(v, "national (全国版), beijing (北京版)")
	return Coding(l.current.def)
}

func (l *loading) number(v string) int {
	n, err := strconv.Atoi(v)
	if err != nil {
		l.fault(l.current.name, "bad_number", "value", quote(v))
		return 0
	}
	low, _ := strconv.Atoi(l.current.tag.Get("min"))
	high, _ := strconv.Atoi(l.current.tag.Get("max"))
	if n < low || n > high {
		l.outOfRange(v)
	}
	return n
}

func (l *loading) duration(v string) time.Duration {
	d, err := time.ParseDuration(v)
	if err != nil {
		l.fault(l.current.name, "bad_duration", "value", quote(v), "default", l.current.def)
		return 0
	}
	low, _ := time.ParseDuration(l.current.tag.Get("min"))
	high, _ := time.ParseDuration(l.current.tag.Get("max"))
	if d < low || d > high {
		l.outOfRange(v)
	}
	return d
}

func (l *loading) bytes(v string) Bytes {
	b, err := ParseBytes(v)
	if err != nil {
		l.fault(l.current.name, "bad_size", "value", quote(v), "default", l.current.def)
		return 0
	}
	if low, _ := ParseBytes(l.current.tag.Get("min")); b < low {
		l.fault(l.current.name, "too_small", "value", quote(v), "min", l.current.tag.Get("min"))
	}
	return b
}

func (l *loading) outOfRange(v string) {
	tag := l.current.tag
	l.fault(l.current.name, "out_of_range", "value", quote(v), "min", tag.Get("min"), "max", tag.Get("max"))
}

// path makes v absolute; a file must be there and readable, a directory may
// still come.
func (l *loading) path(v string) string {
	abs, err := filepath.Abs(v)
	if err != nil || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		l.fault(l.current.name, "bad_path")
		return ""
	}
	if l.current.tag.Get("path") != "file" {
		return abs
	}
	if err := readable(abs); err != nil {
		l.fault(l.current.name, "file_unreadable", "path", abs, "cause", cause(err))
	}
	return abs
}

func (l *loading) address(v string) string {
	host, port, err := net.SplitHostPort(v)
	_, errPort := strconv.ParseUint(port, 10, 16)
	if err != nil || errPort != nil || strings.ContainsAny(host, " /@") {
		l.fault(l.current.name, "bad_address", "value", quote(v))
	}
	return v
}

// readable opens path without hanging on a FIFO, and closes it again.
func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// quote shows a refused value, cut; it is used only for variables that hold no
// secret by their meaning.
func quote(v string) string {
	r := []rune(v)
	if len(r) > 40 {
		return strconv.Quote(string(r[:40])) + "…"
	}
	return strconv.Quote(v)
}

func itoa(n int) string { return strconv.Itoa(n) }

// showDuration is d without the zero units that time.Duration prints: 15m, 720h.
func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
