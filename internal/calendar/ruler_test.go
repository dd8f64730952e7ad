package calendar

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func date(s string) time.Time {
	d, err := time.Parse(dayLayout, s)
	if err != nil {
		panic(err)
	}
	return d
}

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func plan(t interface{ Fatal(...any) }, text string) Plan {
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const national = `2026-02-28,workday,春节调休
2026-09-20,workday,国庆节调休
2026-10-01,holiday,国庆节
2026-10-02,holiday,国庆节
2026-10-03,holiday,国庆节
2026-10-04,holiday,国庆节
2026-10-05,holiday,国庆节
2026-10-06,holiday,国庆节
2026-10-07,holiday,国庆节
2026-10-10,workday,国庆节调休
`

func ruler(t interface{ Fatal(...any) }, text, zoneName string) Ruler {
	h, err := ParseHolidays(strings.NewReader(national))
	if err != nil {
		t.Fatal(err)
	}
	return Ruler{Plan: plan(t, text), Holidays: h, Zone: zone(t, zoneName)}
}

// due lists the local days, and holidays in brackets.
func due(r Ruler, from, to string) []string {
	var all []string
	for _, d := range r.Between("flu", date(from), date(to).Add(36*time.Hour)) {
		switch {
		case d.Day < from || d.Day > to:
		case d.Holiday:
			all = append(all, "("+d.Day[5:]+" "+d.Name+")")
		default:
			all = append(all, d.Day[5:])
		}
	}
	return all
}

func TestDaysOfEachRhythm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan, from, to string
		want           string
	}{
		"daily over the leap day":              {"daily 09:00 flu", "2028-02-27", "2028-03-02", "02-27 02-28 02-29 03-01 03-02"},
		"daily without a leap day":             {"daily 09:00 flu", "2100-02-27", "2100-03-02", "02-27 02-28 03-01 03-02"},
		"weekly":                               {"weekly mon,thu 09:00 flu", "2026-11-20", "2026-12-01", "11-23 11-26 11-30"},
		"the 31st of short months":             {"monthly 31 09:00 flu", "2026-01-01", "2026-05-31", "01-31 02-28 03-31 04-30 05-31"},
		"the 29th of February":                 {"monthly 29 09:00 flu", "2027-02-01", "2028-03-01", "02-28 03-29 04-29 05-29 06-29 07-29 08-29 09-29 10-29 11-29 12-29 01-29 02-29"},
		"the last of the month":                {"monthly last 09:00 flu", "2028-01-01", "2028-04-30", "01-31 02-29 03-31 04-30"},
		"the tenth over the turn of the year":  {"monthly 10 09:00 flu", "2026-11-11", "2027-02-10", "12-10 01-10 02-10"},
		"working days in the golden week":      {"workdays 09:00 flu", "2026-09-30", "2026-10-12", "09-30 (10-01 国庆节) (10-02 国庆节) (10-05 国庆节) (10-06 国庆节) (10-07 国庆节) 10-08 10-09 10-10 10-12"},
		"a Sunday that is worked":              {"workdays 09:00 flu", "2026-09-18", "2026-09-21", "09-18 09-20 09-21"},
		"third working day after holidays":     {"monthly workday 3 09:00 flu", "2026-10-01", "2026-10-31", "10-10"},
		"last working day":                     {"monthly workday last 09:00 flu", "2026-02-01", "2026-03-31", "02-28 03-31"},
		"more working days than there are":     {"monthly workday 23 09:00 flu", "2026-10-01", "2026-10-31", "10-30"},
		"a holiday that another clause is for": {"workdays 09:00 flu; daily 09:00 flu", "2026-10-01", "2026-10-02", "10-01 10-02"},
		"two times a day":                      {"daily 09:00 flu; daily 21:00 flu", "2026-10-01", "2026-10-02", "10-01 10-01 10-02 10-02"},
		"two clauses of one time":              {"daily 09:00 flu; monthly 1 09:00 flu,hda", "2026-10-01", "2026-10-02", "10-01 10-02"},
		"another kind":                         {"daily 09:00 hda", "2026-10-01", "2026-10-02", ""},
	} {
		if got := strings.Join(due(ruler(t, c.plan, "Asia/Shanghai"), c.from, c.to), " "); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}

func TestDaylightSaving(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ zone, plan, from, to, want string }{
		"Berlin loses an hour: 02:30 is 03:30":   {"Europe/Berlin", "daily 02:30 flu", "2026-03-28", "2026-03-30", "2026-03-28T01:30Z 2026-03-29T01:30Z 2026-03-30T00:30Z"},
		"Berlin wins an hour: the later 02:30":   {"Europe/Berlin", "daily 02:30 flu", "2026-10-24", "2026-10-26", "2026-10-24T00:30Z 2026-10-25T01:30Z 2026-10-26T01:30Z"},
		"Berlin at nine, as ever":                {"Europe/Berlin", "daily 09:00 flu", "2026-03-28", "2026-03-30", "2026-03-28T08:00Z 2026-03-29T07:00Z 2026-03-30T07:00Z"},
		"New York loses an hour: 02:00 is 03:00": {"America/New_York", "daily 02:00 flu", "2026-03-07", "2026-03-09", "2026-03-07T07:00Z 2026-03-08T07:00Z 2026-03-09T06:00Z"},
		"New York wins an hour: the later 01:15": {"America/New_York", "daily 01:15 flu", "2026-10-31", "2026-11-02", "2026-10-31T05:15Z 2026-11-01T06:15Z 2026-11-02T06:15Z"},
		"Lord Howe's half hour: 02:15 is 02:45":  {"Australia/Lord_Howe", "daily 02:15 flu", "2026-10-04", "2026-10-04", "2026-10-03T15:45Z"},
		"Beirut has no midnight: 00:00 is 01:00": {"Asia/Beirut", "daily 00:00 flu", "2026-03-29", "2026-03-29", "2026-03-28T22:00Z"},
		"China had it, too":                      {"Asia/Shanghai", "daily 02:30 flu", "1988-04-16", "1988-04-18", "1988-04-15T18:30Z 1988-04-16T18:30Z 1988-04-17T17:30Z"},
	} {
		var got []string
		for _, d := range ruler(t, c.plan, c.zone).Between("flu", date(c.from).AddDate(0, 0, -2), date(c.to).AddDate(0, 0, 2)) {
			if d.Day >= c.from && d.Day <= c.to {
				got = append(got, d.At.UTC().Format("2006-01-02T15:04Z"))
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s\nwant %s", name, s, c.want)
		}
	}
}

// Whatever the zone and the plan: deadlines grow, each is on its day (but for a
// clock that skips), and before, after and between agree.
func TestDeadlinesAreInOrderInEveryZone(t *testing.T) {
	t.Parallel()
	zones := []string{"Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Kiritimati"}
	plans := []string{
		"daily 02:30 flu", "daily 00:00 flu; daily 23:59 flu", "workdays 09:00 flu", "weekly sun 02:00 flu", "monthly 31 03:00 flu", "monthly workday 5 09:00 flu; monthly last 02:30 flu",
	}
	rapid.Check(t, func(t *rapid.T) {
		r := ruler(t, rapid.SampledFrom(plans).Draw(t, "plan"), rapid.SampledFrom(zones).Draw(t, "zone"))
		from := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "from"), 0)
		to := from.Add(time.Duration(rapid.Int64Range(0, 200*24).Draw(t, "hours")) * time.Hour)
		all := r.Between("flu", from, to)
		for i, d := range all {
			if i > 0 && !d.At.After(all[i-1].At) {
				t.Fatalf("%v after %v", d, all[i-1])
			}
			if day := r.dateOf(d.At).Format(dayLayout); day != d.Day {
				t.Fatalf("%v is shown on %s", d, day)
			}
		}
		expected := slices.DeleteFunc(slices.Clone(all), func(d Deadline) bool { return d.Holiday })
		next, ok := r.after("flu", from)
		if len(expected) > 0 && (!ok || next != expected[0]) {
			t.Fatalf("the next one is %v, want %v", next, expected[0])
		}
		before := r.before("flu", to.Add(1), 3)
		if n := min(3, len(expected)); n > 0 {
			if d := cmp.Diff(expected[len(expected)-n:], before[len(before)-n:]); d != "" {
				t.Fatalf("before %v (-between +before):\n%s", to, d)
			}
		}
	})
}

func TestAPlanThatHardlyEverComesIsStillFound(t *testing.T) {
	t.Parallel()
	r := ruler(t, "monthly workday last 09:00 flu", "Asia/Shanghai")
	if got := r.before("flu", date("2026-11-27"), 4); len(got) != 4 || got[3].Day != "2026-10-30" || got[0].Day != "2026-07-31" {
		t.Errorf("got %v", got)
	}
	if d, ok := r.after("flu", date("2026-11-30").Add(9*time.Hour)); !ok || d.Day != "2026-12-31" {
		t.Errorf("got %v %v", d, ok)
	}
	if _, ok := r.after(upload.Kind("lis"), date("2026-11-30")); ok {
		t.Error("nobody expects lis")
	}
}
