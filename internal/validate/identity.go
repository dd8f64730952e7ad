package validate

// identity checks a resident identity number, and that it says the same birth
// date and sex as the row.
func (c *Checker) identity(b *bound) {
	v := c.plan.at(b.Targets[0])
	if v.kind != isText || !c.holds(b.when) {
		return
	}
	if len(v.raw) == 15 && digitsAt(v.raw, 0, 15) == 15 {
		c.led.add(idOld, b.Targets[0], nil)
		c.birthAndSex(b, append([]byte("19"), v.raw[6:12]...), v.raw[14])
		return
	}
	form, check := residentID(v.raw)
	switch {
	case !form && fullWidth(v.raw, c.cs.name):
		c.led.add(colFullWidth, b.Targets[0], param("expected", "GB 11643"))
	case !form:
		c.led.add(idForm, b.Targets[0], nil)
	case !check:
		c.led.add(idCheck, b.Targets[0], nil)
	default:
		c.birthAndSex(b, v.raw[6:14], v.raw[16])
	}
}

func (c *Checker) birthAndSex(b *bound, birth []byte, sex byte) {
	if b.Birth >= 0 {
		if v := c.plan.at(b.Birth); v.dated() {
			if n, ok := digitsDate(birth); !ok || n != floorDay(v.n)*secondsPerDay {
				c.led.add(idBirth, b.Targets[0], param("column", c.layout.Columns[b.Birth].Code))
			}
		}
	}
	if b.Sex >= 0 {
		v := c.plan.at(b.Sex)
		if len(v.raw) == 1 && (v.raw[0] == '1' || v.raw[0] == '2') && (v.raw[0] == '1') != (sex%2 == 1) {
			c.led.add(idSex, b.Targets[0], param("column", c.layout.Columns[b.Sex].Code))
		}
	}
}

// digitsDate reads yyyyMMdd.
func digitsDate(v []byte) (int64, bool) {
	var b [10]byte
	copy(b[:], v[:4])
	copy(b[5:], v[4:6])
	copy(b[8:], v[6:8])
	b[4], b[7] = '-', '-'
	n, kind := date(b[:])
	return n, kind == isDate
}
