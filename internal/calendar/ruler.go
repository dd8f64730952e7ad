package calendar

import (
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Deadline is a moment by which a file of a kind is due.
type Deadline struct {
	At      time.Time // UTC
	Day     string    // its local day, 2006-01-02
	Holiday bool      // it would be due, but for the holiday
	Name    string    // the holiday's
}

// Ruler lays a plan out on real days.
type Ruler struct {
	Plan     Plan
	Holidays Holidays
	Zone     *time.Location
}

// dateOf is t's local day, as midnight UTC: arithmetic on days knows no daylight saving.
func (r Ruler) dateOf(t time.Time) time.Time {
	y, m, d := t.In(r.Zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Between are the kind's deadlines from one moment to another, both included, in
// order; holidays on which a clause for working days has none are among them.
func (r Ruler) Between(kind upload.Kind, from, to time.Time) []Deadline {
	var all []Deadline
	for day := r.dateOf(from).AddDate(0, 0, -1); !day.After(r.dateOf(to).AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		for _, d := range r.on(kind, day) {
			if !d.At.Before(from) && !d.At.After(to) {
				all = append(all, d)
			}
		}
	}
	return all
}

// on are the kind's deadlines of one day, in order.
func (r Ruler) on(kind upload.Kind, day time.Time) []Deadline {
	var all []Deadline
	for _, c := range r.Plan.clauses {
		if !slices.Contains(c.kinds, kind) {
			continue
		}
		d := Deadline{At: at(day, c.hour, c.minute, r.Zone), Day: day.Format(dayLayout)}
		if !r.falls(c, day) {
			if c.rhythm != workdays {
				continue
			}
			if d.Name, d.Holiday = r.Holidays.holiday(day); !d.Holiday || weekend(day) {
				continue
			}
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Deadline) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return int(truth(a.Holiday) - truth(b.Holiday)) // another clause expects it all the same
	})
	return slices.CompactFunc(all, func(a, b Deadline) bool { return a.At.Equal(b.At) })
}

func truth(b bool) int8 {
	if b {
		return 1
	}
	return 0
}

func weekend(day time.Time) bool {
	return day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
}

// falls reports whether the clause has a deadline on the day.
func (r Ruler) falls(c clause, day time.Time) bool {
	switch c.rhythm {
	case daily:
		return true
	case workdays:
		return r.Holidays.works(day)
	case weekly:
		return slices.Contains(c.days, int(day.Weekday()))
	case monthly:
		last := endOfMonth(day)
		return day.Day() == c.days[0] || day.Day() == last && (c.days[0] == lastDay || c.days[0] > last)
	case monthlyWorkday:
		return r.Holidays.works(day) && r.isWorkday(c.days[0], day)
	default:
		return false
	}
}

// isWorkday reports whether the day, a working day, is the n-th of its month; in
// a month of fewer, the last one is.
func (r Ruler) isWorkday(n int, day time.Time) bool {
	before, after := 0, 0
	for d := 1; d <= endOfMonth(day); d++ {
		switch other := time.Date(day.Year(), day.Month(), d, 0, 0, 0, 0, time.UTC); {
		case !r.Holidays.works(other):
		case d < day.Day():
			before++
		case d > day.Day():
			after++
		}
	}
	return before+1 == n || after == 0 && (n == lastDay || n > before+1)
}

func endOfMonth(day time.Time) int {
	return time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// at is the moment at which the clocks of the zone show the time on the day. A
// time that comes twice is the later one. One that is skipped is as much later
// as the clock was put forward.
func at(day time.Time, hour, minute int, zone *time.Location) time.Time {
	shown := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, time.UTC)
	var best time.Time
	fits := false
	for _, near := range []time.Duration{-26 * time.Hour, 0, 26 * time.Hour} { // beyond any offset
		_, offset := shown.Add(near).In(zone).Zone()
		t := shown.Add(-time.Duration(offset) * time.Second)
		local := t.In(zone)
		fit := local.Day() == shown.Day() && local.Hour() == hour && local.Minute() == minute
		if fit && !fits || fit == fits && t.After(best) {
			best, fits = t, fit
		}
	}
	return best
}

// Before are the n latest deadlines before t at which something is expected, in
// order; fewer where the plan is too sparse.
func (r Ruler) before(kind upload.Kind, t time.Time, n int) []Deadline {
	var all []Deadline
	for day, looked := r.dateOf(t).AddDate(0, 0, 1), 0; len(all) < n && looked < 33*(n+1); day, looked = day.AddDate(0, 0, -1), looked+1 {
		for _, d := range slices.Backward(r.on(kind, day)) {
			if !d.Holiday && d.At.Before(t) && len(all) < n {
				all = append(all, d)
			}
		}
	}
	slices.Reverse(all)
	return all
}

// after is the first deadline at t or later at which something is expected.
func (r Ruler) after(kind upload.Kind, t time.Time) (Deadline, bool) {
	for day, looked := r.dateOf(t).AddDate(0, 0, -1), 0; looked < 66; day, looked = day.AddDate(0, 0, 1), looked+1 {
		for _, d := range r.on(kind, day) {
			if !d.Holiday && !d.At.Before(t) {
				return d, true
			}
		}
	}
	return Deadline{}, false
}
