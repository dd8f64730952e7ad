package validate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestDictTableHasWhatTheDictionaryHas(t *testing.T) {
	t.Parallel()
	odd := &standard.Dictionary{Codes: map[string]string{"姓": "", "\xd0\xd5": "", "1": "", "1\x00": "", "1234567": "", "12345678": ""}}
	d := &standard.Dictionary{Codes: map[string]string{}}
	for i := range 2 * mostShort {
		d.Codes[fmt.Sprintf("%03x", 7*i)] = ""
	}
	for name, d := range map[string]*standard.Dictionary{"odd": odd, "large": d, "empty": {}, "of one": {Codes: map[string]string{"01": ""}}} {
		table := newDictTable(d)
		ask := func(v string) {
			if got, want := table.has([]byte(v)), d.Has([]byte(v)); got != want {
				t.Errorf("%s: %q: %v", name, v, got)
			}
			if table.hasShort([]byte(v)) && !isASCII([]byte(v)) {
				t.Errorf("%s: %q is not ASCII", name, v)
			}
		}
		for code := range d.Codes {
			for _, v := range []string{code, code + "\x00", "0" + code, code[1:], code[:len(code)-1]} {
				ask(v)
			}
		}
		for _, v := range []string{"", "\x00", "\x00\x00", "1", "123456789", strings.Repeat("1", 300)} {
			ask(v)
		}
	}
}

func TestNothingIsTrimmedThatDoesNotLookPadded(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{" ", "\t", "\r", "\n", "\x00", "a", "2", "姓", "\xd0\xd5", "\u00a0", "\u3000", "\ufeff", "\xa1\xa1", "\x81\x30\x84\x32", "\x84", "\xff"})
	rapid.Check(t, func(t *rapid.T) {
		v := []byte(strings.Join(rapid.SliceOfN(part, 1, 6).Draw(t, "parts"), ""))
		for _, cs := range []string{"", CharsetUTF8, CharsetGB18030} {
			if trimmed := trim(v, cs); !padded(v) && len(trimmed) != len(v) {
				t.Fatalf("%q is %q in %q", v, trimmed, cs)
			}
		}
	})
}

// seemingRight are values that are right in some columns, and parts of such.
var seemingRight = []string{
	"0", "1", "12", "-1", "9999", "1.5", "1.55555", "99999999", "2024-02-29", "2023-02-29", "2024-02-29 23:59:59", " ", "A00", "A00.1", "A00.000x001*",
	"A00.1x\x81\x36\xa5\x39", "A00.1\x81\x36\xa5\x39", "A00.1†", "A00.1+", "M8000/0", "00.1", "00.1x00", "姓", "\xd0\xd5", "\xff", "\x00", "1.1E+10", "123456", "123456789012345678",
}

// values gives each of them, and each two of them joined.
func values() (all []string) {
	for _, a := range seemingRight {
		all = append(all, a)
		for _, b := range seemingRight {
			all = append(all, a+b)
		}
	}
	return all
}

func TestWhatIsRightAtFirstSightIsRight(t *testing.T) {
	t.Parallel()
	lib, all := library(t), values()
	for _, l := range append(lib.Layouts(upload.Flu, ""), lib.Layouts(upload.HQMS, "")...) {
		for _, charset := range []string{CharsetUTF8, CharsetGB18030} {
			c := NewChecker(lib, upload.HQMS, l.Kind, Options{Now: noon})
			c.cs.name, c.layout, c.cur = charset, l, &row{}
			c.led = newLedger(newRulebook(l, nil), l, 10)
			c.plan = newPlan(l, c.led.book, c.opts, len(l.Columns))
			for i := range l.Columns {
				c.plan.place(i, i)
				p := c.plan.cells[i]
				if p.dict != nil {
					rightAtFirstSight(t, c, &p, slices.Collect(maps.Keys(p.dict.dict.Codes)))
				}
				rightAtFirstSight(t, c, &p, all)
				p.max = 5
				rightAtFirstSight(t, c, &p, all)
			}
		}
	}
}

func rightAtFirstSight(t *testing.T, c *Checker, p *cell, values []string) {
	t.Helper()
	for _, v := range values {
		n, kind := p.right([]byte(v))
		if kind == isBad {
			continue
		}
		if m, want := c.examine(p, []byte(v)); m != n || want != kind || c.led.tally != (upload.Tally{}) {
			t.Fatalf("%s %s %q: %d, %d at first sight; %d, %d, findings %+v", c.layout.Standard, p.spec.Code, v, n, kind, m, want, c.led.tally)
		}
	}
}

func TestGB18030IsCountedCharacterByCharacter(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"a", "7", "2024-02-29", "\xd0\xd5", "\xc3\xfb\xd0\xd5\xc3\xfb\xd0\xd5", "\xa1\xa1", "\xfe\xfe", "\xff", "\x80", "\x81\x40", "\xa1\x40", "\xd0\x7f", "\x81\x30\x84\x32", "\xfe\x39\xfe\x39"})
	rapid.Check(t, func(t *rapid.T) {
		v := []byte(strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "parts"), ""))
		chars, bad := 0, 0
		for i := 0; i < len(v); chars++ {
			n := sizeGB18030(v[i:])
			if n < 0 {
				bad++
			}
			i += max(n, 1)
		}
		if n, b := countGB18030(v); n != chars || b != bad {
			t.Fatalf("%q: %d characters, %d bad; want %d, %d", v, n, b, chars, bad)
		}
	})
}

func TestUTF8IsCountedCharacterByCharacter(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"a", "2024-02-29", "é", "姓", "\U0001f600", "\ufffd", "\u07ff", "\xd0\xd5", "\xc3\xfb", "\xc0\x80", "\xc2", "\xe5\xa7", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\x80", "\xff"})
	rapid.Check(t, func(t *rapid.T) {
		v := []byte(strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "parts"), ""))
		multi, bad := 0, 0
		for rest := v; len(rest) > 0; {
			r, n := utf8.DecodeRune(rest)
			switch {
			case r == utf8.RuneError && n == 1:
				bad++
			case n > 1:
				multi++
			}
			rest = rest[n:]
		}
		if m, b := scanUTF8(v); m != multi || b != bad {
			t.Fatalf("%q: %d characters, %d bad; want %d, %d", v, m, b, multi, bad)
		}
	})
}

func TestReplacementCharactersAreMojibakeWhereverTheyStand(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "a", "\xd0\xd5", "\xef\xbf"} {
		if v := before + "\ufffd\ufffd"; !mojibake([]byte(v), CharsetGB18030) {
			t.Errorf("%q is none", v)
		}
		if v := before + "\ufffd\xd0\xd5"; mojibake([]byte(v), CharsetGB18030) {
			t.Errorf("%q is mojibake", v)
		}
	}
}
