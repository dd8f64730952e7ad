package pace

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t *testing.T, zone, s string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	v, err := time.ParseInLocation("2006-01-02 15:04", s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func week(t *testing.T, s string) Week {
	t.Helper()
	w, err := ParseWeek(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTimetable(t *testing.T) {
	t.Parallel()
	const shanghai, berlin = "Asia/Shanghai", "Europe/Berlin"
	for name, c := range map[string]struct {
		zone, week, now string
		holds           bool
		change          string // by the zone's clock; empty: never
	}{
		"night, before":                   {shanghai, "22:00-06:00", "2026-11-27 21:59", false, "2026-11-27 22:00"},
		"night, first minute":             {shanghai, "22:00-06:00", "2026-11-27 22:00", true, "2026-11-28 06:00"},
		"night, last minute":              {shanghai, "22:00-06:00", "2026-11-28 05:59", true, "2026-11-28 06:00"},
		"night, over":                     {shanghai, "22:00-06:00", "2026-11-28 06:00", false, "2026-11-28 22:00"},
		"friday's night ends on saturday": {shanghai, "mon-fri 22:00-06:00", "2026-11-28 05:00", true, "2026-11-28 06:00"},
		"sunday has no night":             {shanghai, "mon-fri 22:00-06:00", "2026-11-29 23:00", false, "2026-11-30 22:00"},
		"weekend":                         {shanghai, "mon-fri 22:00-06:00; sat,sun 00:00-24:00", "2026-11-28 12:00", true, "2026-11-30 00:00"},
		"days around the week's end":      {shanghai, "fri-mon 09:00-10:00", "2026-11-29 09:30", true, "2026-11-29 10:00"},
		"sunday's night is monday's too":  {shanghai, "sun 22:00-06:00", "2026-11-30 03:00", true, "2026-11-30 06:00"},
		"always":                          {shanghai, "00:00-24:00", "2026-11-27 21:59", true, ""},
		"always, without words":           {shanghai, "", "2026-11-27 21:59", true, ""},
		// On 2026-03-29 the clock in Berlin goes from 02:00 to 03:00.
		"begins in the skipped hour":   {berlin, "02:30-04:00", "2026-03-29 01:30", false, "2026-03-29 03:00"},
		"lies in the skipped hour":     {berlin, "02:10-02:50", "2026-03-29 01:30", false, "2026-03-30 02:10"},
		"the skipped hour is not long": {berlin, "01:00-06:00", "2026-03-29 01:30", true, "2026-03-29 06:00"},
		// On 2026-10-25 it goes from 03:00 back to 02:00.
		"the hour that comes twice": {berlin, "01:00-02:30", "2026-10-25 01:30", true, "2026-10-25 02:30"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, now := week(t, c.week), at(t, c.zone, c.now)
			if got := w.Holds(now); got != c.holds {
				t.Errorf("holds: %v", got)
			}
			change := ""
			if got := w.Change(now.Add(17 * time.Second)); !got.IsZero() {
				change = got.Format("2006-01-02 15:04")
			}
			if change != c.change {
				t.Errorf("changes at %q, want %q", change, c.change)
			}
		})
	}
}

func TestTimetablesThatAreNone(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]error{
		";":                 ErrClock,
		"22:00-23:00;;":     nil,
		"22:00":             ErrClock,
		"22-06":             ErrClock,
		"22:00-24:01":       ErrClock,
		"22:60-23:00":       ErrClock,
		"22:0-23:00":        ErrClock,
		"06:00-06:00":       ErrEmpty,
		"24:00-06:00":       ErrEmpty,
		"moon 22:00-06:00":  ErrDay,
		"mon- 22:00-06:00":  ErrDay,
		"mon-fri":           ErrClock,
		"mon,, 08:00-09:00": ErrDay,
	} {
		if _, err := ParseWeek(s); !errors.Is(err, want) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Change is the first change: nothing changes before it, and something at it.
func TestChangeIsTheFirst(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	w := week(t, "mon-fri 22:00-06:00; sat 02:30-02:45; sun 00:00-24:00")
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(1767225600, 1798761600).Draw(t, "now"), 0).In(berlin)
		change := w.Change(now)
		if !change.After(now) || w.Holds(change) == w.Holds(now) {
			t.Fatalf("%s: %s is no change", now, change)
		}
		between := now.Add(time.Duration(rapid.Float64Range(0, 0.999999).Draw(t, "between") * float64(change.Sub(now))))
		if w.Holds(between) != w.Holds(now) {
			t.Fatalf("%s: already changed at %s, before %s", now, between, change)
		}
	})
}
