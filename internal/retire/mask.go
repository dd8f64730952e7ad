package retire

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// personal is what identity, telephone and card numbers look like: digits, also
// full-width ones, eleven or more; an identity number may end in X.
var personal = regexp.MustCompile(`[0-9０-９]{11,}[XxＸｘ]?`)

// maxForeign bounds how much of the server's words is kept in a result file.
const maxForeign = 2000

// mask makes a foreign text fit for a result file: no numbers that may be a
// person's, no control characters, not endless.
func mask(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
	text = personal.ReplaceAllString(text, "***********")
	if len(text) <= maxForeign {
		return text
	}
	cut := maxForeign
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
