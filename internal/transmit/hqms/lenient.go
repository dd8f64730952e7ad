package hqms

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// text reads a string, a number or a boolean; anything else is empty.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	switch {
	case len(b) == 0 || b[0] == '{' || b[0] == '[' || bytes.Equal(b, []byte("null")):
		return nil
	case b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
	default:
		*t = text(b)
	}
	return nil
}

// cut gives at most n bytes, whole characters, control characters as spaces.
func (t text) cut(n int) string {
	s := strings.ToValidUTF8(strings.TrimSpace(string(t)), "\uFFFD")
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return ' '
		}
		return r
	}, s)
}

// flag reads true and false, also as text or number; anything else is not known.
type flag struct{ known, yes bool }

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(string(t))) {
	case "true", "1":
		*f = flag{known: true, yes: true}
	case "false", "0":
		*f = flag{known: true}
	default:
		*f = flag{}
	}
	return nil
}

// number reads a whole number, also as text; anything else is not known.
type number struct {
	known bool
	n     int64
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	*n = number{}
	f, err := strconv.ParseFloat(strings.TrimSpace(string(t)), 64)
	if err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		*n = number{known: true, n: int64(f)}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler: a result that is no object is none.
func (r *result) UnmarshalJSON(b []byte) error {
	*r = result{}
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	r.present = true
	return json.Unmarshal(b, &r.resultFields)
}

// UnmarshalJSON implements json.Unmarshaler: counts that are no object are not known.
func (g *checkGrade) UnmarshalJSON(b []byte) error {
	*g = checkGrade{}
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	type plain checkGrade
	return json.Unmarshal(b, (*plain)(g))
}
