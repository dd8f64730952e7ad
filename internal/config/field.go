package config

import (
	"reflect"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// field is one variable, as the tags of Config describe it.
type field struct {
	name   string // the variable
	prefix string // HQMS_ or FLU_ for a variable that each channel has, else empty
	own    string // the name without that prefix
	def    string
	typ    reflect.Type
	index  []int
	tag    reflect.StructTag
}

// fields lists every variable, in the order of Config.
func fields() []field {
	return walk(reflect.TypeFor[Config](), "", nil)
}

func walk(t reflect.Type, prefix string, at []int) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int{}, at...), i)
		if p := f.Tag.Get("envPrefix"); p != "" {
			all = append(all, walk(f.Type, p, index)...)
			continue
		}
		name := f.Tag.Get("env")
		if name == "" || name == "-" {
			continue
		}
		def := f.Tag.Get("envDefault")
		if f.Type == reflect.TypeFor[URL]() && prefix != "" {
			def = defaultServer(channelOf(prefix)).String()
		}
		all = append(all, field{name: prefix + name, prefix: prefix, own: name, def: def, typ: f.Type, index: index, tag: f.Tag})
	}
	return all
}

// channelOf is the channel whose variables begin with prefix.
func channelOf(prefix string) upload.Channel {
	return upload.Channel(strings.ToLower(strings.TrimSuffix(prefix, "_")))
}

// secret reports whether the variable may also be given as a file.
func (f field) secret() bool { return f.typ == reflect.TypeFor[Secret]() }

// choices are the values of an enumeration; nil for anything else.
func (f field) choices() []string {
	if f.typ == reflect.TypeFor[Coding]() {
		return []string{string(National), string(Beijing)}
	}
	return split(f.tag.Get("oneof"))
}

// meaning is the phrase that says what the variable is for.
func (f field) meaning() string {
	if f.prefix != "" {
		return "config.var._" + f.own
	}
	return "config.var." + f.name
}

// later are variables of the design that this version does not support yet:
// refused with these words instead of being silently ignored.
func later() []string {
	return []string{
		"ARCHIVE_KEY_FILE",
	}
}

// Setting is one variable with its value, for operators to look at.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"` // of a secret only [set], or empty
	Default bool   `json:"default"`

	Secret  bool   `json:"-"`
	File    bool   `json:"-"` // it was given by its …_FILE form
	Meaning string `json:"-"` // the phrase that says what it is for
}

// Settings lists the settings in effect: all that are not of one channel, and
// those of the channels that are on.
func (c *Config) Settings() []Setting {
	var all []Setting
	v := reflect.ValueOf(*c)
	for _, f := range fields() {
		if (f.prefix == "HQMS_" || strings.HasPrefix(f.name, "HQMS_")) && !c.HQMS.On() || f.prefix == "FLU_" && !c.Flu.On() {
			continue
		}
		_, file := c.files[f.name]
		all = append(all, Setting{
			Name: f.name, Value: show(v.FieldByIndex(f.index)), Default: !c.given[f.name], Secret: f.secret(), File: file, Meaning: f.meaning(),
		})
	}
	return all
}

func show(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return x
	case upload.Severity:
		if x == "" {
			return "never"
		}
		return string(x)
	case Coding:
		return string(x)
	case time.Duration:
		return showDuration(x)
	case int:
		return itoa(x)
	case interface{ String() string }:
		return x.String()
	default:
		return ""
	}
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
