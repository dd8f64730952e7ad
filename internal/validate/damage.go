package validate

import (
	"bytes"
	"encoding/binary"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
)

// gbkCodes gives the two-byte GBK code of every character of plane 0 that has
// one. It is only asked whether a text is mojibake; no file is converted.
var gbkCodes = sync.OnceValue(func() *[1 << 16]uint16 {
	var table [1 << 16]uint16
	dec := simplifiedchinese.GBK.NewDecoder()
	for lead := 0x81; lead <= 0xfe; lead++ {
		for trail := 0x40; trail <= 0xfe; trail++ {
			if out, err := dec.Bytes([]byte{byte(lead), byte(trail)}); err == nil {
				if r, n := utf8.DecodeRune(out); r != utf8.RuneError && n == len(out) && r >= 0x80 && r < 1<<16 {
					table[r] = uint16(lead<<8 | trail)
				}
			}
		}
	}
	return &table
})

// mojibake reports whether a text beyond ASCII was written in one charset and
// read in another: UTF-8 as GBK, GBK as UTF-8 or Latin-1, and back.
func mojibake(v []byte, cs string) bool {
	if cs == CharsetGB18030 {
		return bytes.IndexByte(v, 0xef) >= 0 && bytes.Contains(v, []byte("\xef\xbf\xbd\xef\xbf\xbd")) || rawUTF8(v)
	}
	if bytes.Contains(v, []byte("\ufffd")) || bytes.Contains(v, []byte("锟斤")) {
		return true
	}
	first, _ := utf8.DecodeRune(skipASCII(v))
	switch {
	case first >= 0xc0 && first <= 0xff:
		return latinRun(v)
	case first >= 0x80 && first < 1<<16 && first != utf8.RuneError:
		lead := gbkCodes()[first] >> 8
		return lead >= 0xe4 && lead <= 0xe9 && rawUTF8(toGBK(v))
	}
	return false
}

func skipASCII(v []byte) []byte {
	for i, b := range v {
		if b >= utf8.RuneSelf {
			return v[i:]
		}
	}
	return nil
}

// rawUTF8 reports whether v is UTF-8 holding at least two Han characters and
// beginning with one.
func rawUTF8(v []byte) bool {
	v = skipASCII(v)
	if len(v) < 6 || v[0] < 0xe4 || v[0] > 0xe9 {
		return false
	}
	han := 0
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		if r == utf8.RuneError && n <= 1 {
			return len(v) < 3 && han >= 2 // cut off, as a field too short does
		}
		if r >= 0x4e00 && r <= 0x9fff {
			han++
		}
		v = v[n:]
	}
	return han >= 2
}

// toGBK writes the text in GBK; what GBK does not have is left out.
func toGBK(v []byte) []byte {
	var out []byte
	for _, r := range string(v[:min(len(v), 300)]) {
		switch {
		case r < utf8.RuneSelf:
			out = utf8.AppendRune(out, r)
		case r < 1<<16 && gbkCodes()[r] != 0:
			out = binary.BigEndian.AppendUint16(out, gbkCodes()[r])
		}
	}
	return out
}

// latinRun reports whether four letters in a row are of the upper half of
// Latin-1, as no language writes.
func latinRun(v []byte) bool {
	run := 0
	for _, r := range string(v) {
		if r >= 0xa1 && r <= 0xff {
			run++
		} else {
			run = 0
		}
		if run >= 4 {
			return true
		}
	}
	return false
}

// fullWidth reports whether v holds a full-width digit, letter or sign.
func fullWidth(v []byte, cs string) bool {
	if cs == CharsetGB18030 {
		for i := 0; i < len(v); {
			n := max(1, sizeGB18030(v[i:]))
			if n == 2 && v[i] == 0xa3 && v[i+1] >= 0xa1 {
				return true
			}
			i += n
		}
		return false
	}
	for _, r := range string(v) {
		if r >= 0xff01 && r <= 0xff5e {
			return true
		}
	}
	return false
}

// zeroLost reports whether v becomes a code of d, or as many digits as wanted,
// with zeros put in front.
func zeroLost(v []byte, d *standard.Dictionary, digits int) bool {
	if len(v) == 0 || len(v) > 8 || digitsAt(v, 0, len(v)) != len(v) {
		return false
	}
	if digits > 0 {
		return len(v) < digits && len(v) >= digits-2
	}
	return d != nil && !d.Open && (d.Has(append([]byte("0"), v...)) || d.Has(append([]byte("00"), v...)))
}

// shape shows what a value looks like without its content: digits as 9, letters
// as A, Han as 汉; at most 24 characters.
func shape(v []byte, cs string) string {
	var b []byte
	for i, n := 0, 0; i < len(v) && n < 24; n++ {
		size := 1
		if v[i] >= 0x80 {
			if cs == CharsetGB18030 {
				size = max(1, sizeGB18030(v[i:]))
			} else {
				_, size = utf8.DecodeRune(v[i:])
			}
		}
		switch c := v[i]; {
		case c >= 0x80:
			b = append(b, "汉"...)
		case c >= '0' && c <= '9':
			b = append(b, '9')
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
			b = append(b, 'A')
		case c < ' ' || c == 0x7f:
			b = append(b, "·"...)
		default:
			b = append(b, c)
		}
		i += size
	}
	return string(b)
}
