package alert

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how much of an untrusted text is shown, in characters.
const longest = 80

// harmless takes from an untrusted text what any of the receivers could take for
// markup, mention or link: such characters become their wide twins, which look
// the same and mean nothing; control and invisible ones become a box.
func harmless(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > longest {
			b.WriteString("…")
			break
		}
		b.WriteRune(harmlessRune(r))
	}
	text := b.String()
	for _, begin := range []string{"www.", "WWW."} { // links without a scheme
		text = strings.ReplaceAll(text, begin, begin[:3]+"．")
	}
	return text
}

func harmlessRune(r rune) rune {
	switch {
	case r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r):
		return '□'
	case strings.ContainsRune("<>[](){}*`~#|!@&\\$:\"'", r):
		return r + 0xfee0 // ASCII to full width
	default:
		return r
	}
}

// cut shortens s to at most n bytes, at a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
