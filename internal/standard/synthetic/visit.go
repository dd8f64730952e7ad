package synthetic

import (
	"fmt"
	"strconv"
	"time"
)

// visit is the model that holds one row together.
type visit struct {
	no         int
	name, sex  string
	birth      time.Time
	admitted   time.Time
	discharged time.Time
	inpatient  bool
	died       bool
	positive   bool
}

func (g *Generator) visit() visit {
	g.n++
	stay := 24*time.Hour + time.Duration(g.rnd.IntN(15*24*3600))*time.Second
	v := visit{
		no: g.n, sex: strconv.Itoa(1 + g.rnd.IntN(2)), name: g.person(),
		inpatient: g.rnd.IntN(3) == 0, died: g.layout.Kind == "hdr" || g.rnd.IntN(20) == 0,
		positive: g.rnd.IntN(3) > 0,
		admitted: g.now.Add(-stay - 24*time.Hour - time.Duration(g.rnd.IntN(300*24*3600))*time.Second),
	}
	v.discharged = v.admitted.Add(stay)
	age := time.Duration(2+g.rnd.IntN(88)) * 365 * 24 * time.Hour
	if g.rnd.IntN(20) == 0 {
		age = time.Duration(g.rnd.IntN(330)) * 24 * time.Hour
	}
	v.birth = midnight(v.admitted.Add(-age))
	return v
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// years is the age in full years at admission.
func (v visit) years() int {
	y := v.admitted.Year() - v.birth.Year()
	if v.birth.AddDate(y, 0, 0).After(v.admitted) {
		y--
	}
	return y
}

func (v visit) daysOld() int { return int(midnight(v.admitted).Sub(v.birth).Hours() / 24) }

// stay is the number of days from admission to discharge, at least one.
func (v visit) stay() int {
	return max(1, int(midnight(v.discharged).Sub(midnight(v.admitted)).Hours()/24))
}

// identity makes a resident identity number with its check digit.
func (v visit) identity(seed uint64) string {
	seq := 2 * ((v.no + int(seed%7)) % 499)
	if v.sex == "1" {
		seq++
	}
	s := fmt.Sprintf("110101%s%03d", v.birth.Format("20060102"), seq)
	weights := []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(s[i]-'0') * w
	}
	return s + "10X98765432"[sum%11:sum%11+1]
}

// known gives what the model says of a column; false if it says nothing.
func (v visit) known(code string, seed uint64) (string, bool) {
	serial := fmt.Sprintf("%d%06d", seed%1_000_000, v.no)
	switch code {
	case "P900", "A01":
		return "12110000400000001X", true
	case "P6891", "A02":
		return "示范市第一人民医院", true
	case "P3", "A48", "P7502":
		return "Z" + serial, true
	case "P8000", "P7500":
		return "S" + serial, true
	case "P4", "A11":
		return v.name, true
	case "P5", "A12C":
		return v.sex, true
	case "P6", "A13":
		return v.birth.Format(time.DateOnly), true
	case "P7", "A14":
		return strconv.Itoa(v.years()), true
	case "A16":
		return strconv.Itoa(v.daysOld()), v.years() == 0
	case "P66":
		return fmt.Sprintf("%.2f", float64(v.daysOld())/30.5), v.years() == 0
	case "P13", "A20":
		return v.identity(seed), true
	case "P7503":
		return "01", true
	case "A15C":
		return "中国", true
	case "P2", "A49", "P7505", "A20N":
		return "1", true
	default:
		return v.times(code)
	}
}

// times gives what follows from the course of the visit.
func (v visit) times(code string) (string, bool) {
	switch code {
	case "P22", "B12", "P7506":
		return v.admitted.Format(time.DateTime), true
	case "P25", "B15":
		return v.discharged.Format(time.DateTime), true
	case "P27", "B20":
		return strconv.Itoa(v.stay()), true
	case "P7501":
		if v.inpatient {
			return "03", true
		}
		return "01", true
	case "P8508":
		if v.died {
			return "1", true
		}
		return "2", true
	case "P8004":
		if v.positive {
			return "1", true
		}
		return "2", true
	case "P8003":
		if v.positive {
			return "流感病毒抗原阳性", true
		}
		return "流感病毒抗原阴性", true
	case "P8017":
		return "2", true
	case "P8509":
		return v.admitted.Add(2 * time.Hour).Format(time.DateTime), v.died
	}
	return "", false
}
