package config

import (
	"log/slog"
	"strings"
	"unicode/utf8"
)

// Secret is a value that must never be seen. However it is printed, it says
// only [set], or nothing when it is not; Reveal is the one way to its value.
// The value stands behind a pointer because package fmt does not ask a value
// that lies in an unexported field how it wants to be printed.
type Secret struct{ value *string }

// NewSecret makes a Secret of value; an empty one is not set.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{&value}
}

const shown = "[set]"

// Reveal is the value itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsSet reports whether there is a value.
func (s Secret) IsSet() bool { return s.value != nil }

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s.value == nil {
		return ""
	}
	return shown
}

// GoString implements fmt.GoStringer, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText implements encoding.TextMarshaler, and so what JSON prints.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

const maxSecret = 4096

// secret reads a secret from the environment. No fault repeats it.
func (l *loading) secret(v string) Secret {
	if what := unfit(v); what != "" {
		l.fault(l.current.name, what)
		return Secret{}
	}
	return NewSecret(v)
}

// unfit says why v cannot be a secret: the id of a phrase, or nothing.
func unfit(v string) string {
	switch {
	case len(v) > maxSecret:
		return "secret_too_long"
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "secret_control"
	default:
		return ""
	}
}

// trim takes off what editors and Windows add around a secret in a file.
func trim(v string) string {
	return strings.TrimSpace(strings.TrimPrefix(v, "\ufeff"))
}
