package validate

// The shapes of codes. They are checked byte by byte: a regular expression per
// cell would cost more than all the rest.

func digitsAt(v []byte, i, most int) int {
	n := 0
	for n < most && i+n < len(v) && v[i+n] >= '0' && v[i+n] <= '9' {
		n++
	}
	return n
}

func isX(b byte) bool { return b == 'x' || b == 'X' }

// icd10 is [A-Z]dd(.(d{1,4}|xdd))?(xddd)?[†*+]? with either case of x.
func icd10(v []byte) bool {
	if len(v) < 3 || v[0] < 'A' || v[0] > 'Z' || digitsAt(v, 1, 2) != 2 {
		return false
	}
	i := 3
	if i < len(v) && v[i] == '.' {
		if n := digitsAt(v, i+1, 4); n > 0 {
			i += 1 + n
		} else if i+1 < len(v) && isX(v[i+1]) && digitsAt(v, i+2, 2) == 2 {
			i += 4
		} else {
			return false
		}
	}
	i += extension(v, i)
	switch rest := v[i:]; {
	case len(rest) == 0, len(rest) == 1 && (rest[0] == '*' || rest[0] == '+'):
		return true
	default: // the dagger, in either charset
		return string(rest) == "\u2020" || string(rest) == daggerGB18030
	}
}

// daggerGB18030 is † in GB18030.
const daggerGB18030 = "\x81\x36\xa5\x39"

// extension is the length of xddd at i, if it is there.
func extension(v []byte, i int) int {
	if i < len(v) && isX(v[i]) && digitsAt(v, i+1, 3) == 3 {
		return 4
	}
	return 0
}

// morphology is Md{4,5}/d.
func morphology(v []byte) bool {
	if len(v) < 7 || v[0] != 'M' {
		return false
	}
	n := digitsAt(v, 1, 5)
	return n >= 4 && len(v) == n+3 && v[n+1] == '/' && digitsAt(v, n+2, 1) == 1
}

// icd9 is dd.(d{1,4}|dxdd)(xddd)? with either case of x.
func icd9(v []byte) bool {
	if len(v) < 4 || digitsAt(v, 0, 2) != 2 || v[2] != '.' {
		return false
	}
	n := digitsAt(v, 3, 4)
	i := 3 + n
	if n == 1 && i < len(v) && isX(v[i]) && digitsAt(v, i+1, 3) == 2 {
		i += 3
	}
	i += extension(v, i)
	return n > 0 && i == len(v)
}

// residentID checks a resident identity number (GB 11643): whether it has 17
// digits and a digit or X, and whether the last one is the right check digit.
func residentID(v []byte) (form, check bool) {
	if len(v) != 18 || digitsAt(v, 0, 17) != 17 {
		return false, false
	}
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(v[i]-'0') * w
	}
	last := v[17]
	if last == 'x' {
		last = 'X'
	}
	return last == 'X' || (last >= '0' && last <= '9'), last == "10X98765432"[sum%11]
}

// scientific reports whether v is a number as Excel shows long ones: 1.10101E+17.
func scientific(v []byte) bool {
	if len(v) < 5 || len(v) > 26 || v[0] < '1' || v[0] > '9' {
		return false
	}
	i := 1
	if v[i] == '.' {
		n := digitsAt(v, i+1, 16)
		if n == 0 {
			return false
		}
		i += 1 + n
	}
	return i+2 < len(v) && (v[i] == 'E' || v[i] == 'e') && v[i+1] == '+' && digitsAt(v, i+2, 3) == len(v)-i-2
}
