package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// moment reads "26 09:30" as local time of November 2026 in Shanghai.
func moment(t interface{ Fatal(...any) }, s string) time.Time {
	at, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-"+s, zone(t, "Asia/Shanghai"))
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

// came makes a delivery: spotted, decided at once, accepted.
func came(t interface{ Fatal(...any) }, spotted string) Delivery {
	at := moment(t, spotted)
	return Delivery{ID: upload.ID(spotted), Kind: "flu", State: upload.StateRetired, Verdict: upload.Accepted, Spotted: at, Decided: at.Add(time.Minute)}
}

func with(d Delivery, state upload.State, verdict upload.Verdict) Delivery {
	d.State, d.Verdict = state, verdict
	if verdict == "" {
		d.Decided = time.Time{}
	}
	return d
}

// TestPeriodsOfADailyFile assesses 09:00 of the 22nd to the 26th of November at
// 12:00 on the 25th.
func TestPeriodsOfADailyFile(t *testing.T) {
	t.Parallel()
	type c = []Delivery
	for name, tt := range map[string]struct {
		came  c
		began string
		want  string // of the 22nd, 23rd, 24th, 25th, 26th
	}{
		"nothing ever came":                          {nil, "01 00:00", "late late late late due"},
		"each on the eve":                            {c{came(t, "21 23:00"), came(t, "22 23:00"), came(t, "23 23:00"), came(t, "24 23:00")}, "01 00:00", "arrived arrived arrived arrived due"},
		"at the very deadline":                       {c{came(t, "25 09:00")}, "24 12:00", "not_expected not_expected not_expected arrived due"},
		"an hour late":                               {c{came(t, "21 23:00"), came(t, "22 23:00"), came(t, "23 23:00"), came(t, "25 10:00")}, "01 00:00", "arrived arrived arrived arrived due"},
		"an hour late does not count twice":          {c{came(t, "21 23:00"), came(t, "22 23:00"), came(t, "24 10:00")}, "01 00:00", "arrived arrived arrived late due"},
		"one day was left out, the next is on time":  {c{came(t, "21 23:00"), came(t, "23 23:00"), came(t, "24 23:00")}, "01 00:00", "arrived late arrived arrived due"},
		"early, when nothing is missing":             {c{came(t, "24 23:00"), came(t, "25 10:00")}, "24 12:00", "not_expected not_expected not_expected arrived arrived"},
		"all that comes late belongs to the missed":  {c{came(t, "25 10:00"), came(t, "25 11:00")}, "24 12:00", "not_expected not_expected not_expected arrived due"},
		"before the calendar began":                  {nil, "24 12:00", "not_expected not_expected not_expected late due"},
		"before it began, and it came all the same":  {c{came(t, "22 23:00")}, "24 12:00", "not_expected arrived not_expected late due"},
		"partly accepted has arrived":                {c{with(came(t, "24 23:00"), upload.StateRetired, upload.PartiallyAccepted)}, "24 12:00", "not_expected not_expected not_expected arrived due"},
		"a duplicate has arrived":                    {c{with(came(t, "24 23:00"), upload.StateRetired, upload.Duplicate)}, "24 12:00", "not_expected not_expected not_expected arrived due"},
		"rejected has not":                           {c{with(came(t, "24 23:00"), upload.StateRetired, upload.Rejected)}, "24 12:00", "not_expected not_expected not_expected late due"},
		"invalid has not":                            {c{with(came(t, "24 23:00"), upload.StateRetired, upload.Invalid)}, "24 12:00", "not_expected not_expected not_expected late due"},
		"unresolved has not":                         {c{with(came(t, "24 23:00"), upload.StateRetired, upload.Unresolved)}, "24 12:00", "not_expected not_expected not_expected late due"},
		"sent is not arrived":                        {c{with(came(t, "24 23:00"), upload.StateSent, "")}, "24 12:00", "not_expected not_expected not_expected late due"},
		"invalid, and corrected in the morning":      {c{with(came(t, "24 23:00"), upload.StateRetired, upload.Invalid), came(t, "25 11:00")}, "24 12:00", "not_expected not_expected not_expected arrived due"},
		"under way, and the next one is early":       {c{with(came(t, "24 23:00"), upload.StateSent, ""), came(t, "25 11:00")}, "24 12:00", "not_expected not_expected not_expected late arrived"},
		"cancelled has not":                          {c{with(came(t, "24 23:00"), upload.StateCancelled, "")}, "24 12:00", "not_expected not_expected not_expected late due"},
		"decided, its original still to be put away": {c{with(came(t, "24 23:00"), upload.StateDecided, upload.Accepted)}, "24 12:00", "not_expected not_expected not_expected arrived due"},
	} {
		r := ruler(t, "daily 09:00 flu", "Asia/Shanghai")
		var got []string
		for _, e := range Assess(r.Between("flu", moment(t, "21 09:00"), moment(t, "26 09:00")), tt.came, moment(t, tt.began), moment(t, "25 12:00")) {
			got = append(got, string(e.State))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s\nwant %s", name, s, tt.want)
		}
	}
}

func TestExpectationsSayWhatCame(t *testing.T) {
	t.Parallel()
	r := ruler(t, "daily 09:00 flu", "Asia/Shanghai")
	late, open := came(t, "24 23:00"), with(came(t, "24 22:00"), upload.StateSent, "")
	late.Decided = moment(t, "25 09:30") // its verdict came after the deadline
	got := Assess(r.Between("flu", moment(t, "24 09:00"), moment(t, "25 09:00")), []Delivery{late, came(t, "25 08:59"), open}, time.Time{}, moment(t, "25 12:00"))
	if len(got) != 1 {
		t.Fatalf("got %+v", got)
	}
	e := got[0]
	if e.State != Arrived || e.Arrivals != 2 || e.UnderWay != 1 || !e.Came.Equal(moment(t, "25 09:00")) || e.Upload != "25 08:59" || !e.OnTime() {
		t.Errorf("got %+v", e)
	}
	got = Assess(r.Between("flu", moment(t, "24 09:00"), moment(t, "25 09:00")), []Delivery{late}, time.Time{}, moment(t, "25 12:00"))
	if got[0].OnTime() || got[0].State != Arrived {
		t.Errorf("the verdict came late: %+v", got[0])
	}
}

func TestHolidaysAreNotExpectedAndBelongToTheNextPeriod(t *testing.T) {
	t.Parallel()
	r := ruler(t, "workdays 09:00 flu", "Asia/Shanghai")
	at := func(s string) time.Time { return date(s).Add(time.Hour) } // 09:00 in Shanghai
	one := Delivery{ID: "x", State: upload.StateRetired, Verdict: upload.Accepted, Spotted: at("2026-10-03"), Decided: at("2026-10-03")}
	var got []string
	for _, e := range Assess(r.Between("flu", at("2026-09-29"), at("2026-10-09")), []Delivery{one}, time.Time{}, at("2026-10-12")) {
		got = append(got, fmt.Sprint(e.Day[5:], " ", e.State))
	}
	want := "09-30 late, 10-01 not_expected, 10-02 not_expected, 10-05 not_expected, 10-06 not_expected, 10-07 not_expected, 10-08 late, 10-09 late"
	if s := strings.Join(got, ", "); s != strings.Replace(want, "09-30 late", "09-30 arrived", 1) {
		t.Errorf("got %s", s) // the 3rd lies in the first half of the eight days after the missed 30th
	}
}

// Whatever comes when: a delivery belongs to one period at most, and a period
// that somebody delivered for in its second half is never late.
func TestEachDeliveryCountsOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := ruler(t, rapid.SampledFrom([]string{"daily 09:00 flu", "weekly mon,thu 09:00 flu", "workdays 09:00 flu; daily 21:00 flu", "monthly 31 09:00 flu"}).Draw(t, "plan"), "Asia/Shanghai")
		from, to := date("2026-09-01"), date("2026-12-01")
		deadlines := r.Between("flu", from, to)
		var all []Delivery
		hours := rapid.SliceOfN(rapid.IntRange(0, 90*24), 0, 40).Draw(t, "hours")
		for i, h := range hours {
			at := from.Add(time.Duration(h) * time.Hour)
			all = append(all, Delivery{ID: upload.ID(fmt.Sprint(i)), State: upload.StateRetired, Verdict: upload.Accepted, Spotted: at, Decided: at})
		}
		got, counted := Assess(deadlines, all, time.Time{}, to), 0
		for _, e := range got {
			counted += e.Arrivals
			if (e.State == Arrived) != (e.Arrivals > 0) {
				t.Fatalf("%+v", e)
			}
			half := e.Begins.Add(e.Due.Sub(e.Begins) / 2)
			for _, d := range all {
				if e.State == Late && d.Spotted.After(half) && !d.Spotted.After(e.Due) {
					t.Fatalf("%+v came, yet %+v", d, e)
				}
			}
		}
		if counted > len(all) {
			t.Fatalf("%d deliveries were counted %d times", len(all), counted)
		}
	})
}
