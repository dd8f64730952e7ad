package validate

// valueKind says what a cell turned out to be.
type valueKind uint8

const (
	isEmpty    valueKind = iota
	isDash               // "-": not available
	isText               //
	isNumber             // n in 10,000th parts
	isDate               // n in seconds, at midnight
	isDateTime           // n in seconds
	isBad                // not what its column says; rules across columns leave it alone
)

// value is a cell that a rule across columns asks for.
type value struct {
	raw  []byte
	n    int64
	kind valueKind
}

func (v *value) filled() bool { return v.kind > isDash }

func (v *value) dated() bool { return v.kind == isDate || v.kind == isDateTime }

const scale = 10_000

// number reads a plain decimal number: its 10,000th parts and the digits before
// and behind the point. Leading zeros count as digits.
func number(v []byte) (n int64, whole, decimals int, ok bool) {
	i, negative := 0, false
	if v[0] == '-' {
		negative, i = true, 1
	}
	for ; i < len(v) && v[i] >= '0' && v[i] <= '9'; i++ {
		n = n*10 + int64(v[i]-'0')
		if whole++; whole > 13 {
			return 0, 0, 0, false
		}
	}
	if whole == 0 {
		return 0, 0, 0, false
	}
	n *= scale
	if i < len(v) {
		if v[i] != '.' || i+1 == len(v) {
			return 0, 0, 0, false
		}
		unit := int64(scale)
		for i++; i < len(v); i++ {
			if v[i] < '0' || v[i] > '9' {
				return 0, 0, 0, false
			}
			unit /= 10
			n += unit * int64(v[i]-'0')
			decimals++
		}
	}
	if negative {
		n = -n
	}
	return n, whole, decimals, true
}

// date reads yyyy-MM-dd or yyyy-MM-dd HH:mm:ss, true to the calendar, as seconds
// since 1970 by the wall clock it is written in.
func date(v []byte) (int64, valueKind) {
	if len(v) != 10 && len(v) != 19 {
		return 0, isBad
	}
	if v[4] != '-' || v[7] != '-' {
		return 0, isBad
	}
	y1, ok1 := two(v[0], v[1])
	y2, ok2 := two(v[2], v[3])
	m, ok3 := two(v[5], v[6])
	d, ok4 := two(v[8], v[9])
	y := y1*100 + y2
	if !ok1 || !ok2 || !ok3 || !ok4 || y < 1850 || y > 2199 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return 0, isBad
	}
	seconds := daysSince1970(y, m, d) * 86_400
	if len(v) == 10 {
		return seconds, isDate
	}
	h, ok1 := two(v[11], v[12])
	mi, ok2 := two(v[14], v[15])
	s, ok3 := two(v[17], v[18])
	if !ok1 || !ok2 || !ok3 || v[10] != ' ' || v[13] != ':' || v[16] != ':' || h > 23 || mi > 59 || s > 59 {
		return 0, isBad
	}
	return seconds + int64(h*3600+mi*60+s), isDateTime
}

func two(tens, ones byte) (int, bool) {
	a, b := tens-'0', ones-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

func daysIn(y, m int) int {
	switch {
	case m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0):
		return 29
	case m == 2:
		return 28
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	default:
		return 31
	}
}

// daysSince1970 counts days in the proleptic Gregorian calendar.
func daysSince1970(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y % 400
	doy := (153*(m-3)+2)/5 + d - 1
	return int64(era*146_097 + yoe*365 + yoe/4 - yoe/100 + doy - 719_468)
}

// trim drops what exporters put around a value: TABs, blanks, line ends, no-break
// and ideographic spaces.
func trim(v []byte, cs string) []byte {
	for len(v) > 0 {
		b := v[0]
		if b > ' ' && b < 0x80 {
			break
		}
		n := leadingSpace(v, cs)
		if n == 0 {
			break
		}
		v = v[n:]
	}
	for len(v) > 0 {
		b := v[len(v)-1]
		if b > ' ' && b < 0x80 && b != '2' { // '2' ends the no-break space of GB18030
			break
		}
		n := trailingSpace(v, cs)
		if n == 0 {
			break
		}
		v = v[:len(v)-n]
	}
	return v
}

// spaces gives the no-break and the ideographic space in a charset.
func spaces(cs string) (noBreak, ideographic string) {
	if cs == CharsetGB18030 {
		return "\x81\x30\x84\x32", "\xa1\xa1"
	}
	return "\u00a0", "\u3000"
}

func plainSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

func leadingSpace(v []byte, cs string) int {
	if plainSpace(v[0]) {
		return 1
	}
	nb, id := spaces(cs)
	for _, s := range [...]string{nb, id, "\ufeff"} {
		if len(v) >= len(s) && string(v[:len(s)]) == s {
			return len(s)
		}
	}
	return 0
}

func trailingSpace(v []byte, cs string) int {
	if plainSpace(v[len(v)-1]) {
		return 1
	}
	nb, id := spaces(cs)
	for _, s := range [...]string{nb, id} {
		if len(v) >= len(s) && string(v[len(v)-len(s):]) == s {
			return len(s)
		}
	}
	return 0
}
