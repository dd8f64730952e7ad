package calendar

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the State Council's notice of 4 November 2025 says about 2026: from and to
// of each holiday, as it writes them, and the days of weekends that are worked.
var (
	notice2026 = map[string][2]string{
		"元旦":  {"2026-01-01", "2026-01-03"},
		"春节":  {"2026-02-15", "2026-02-23"},
		"清明节": {"2026-04-04", "2026-04-06"},
		"劳动节": {"2026-05-01", "2026-05-05"},
		"端午节": {"2026-06-19", "2026-06-21"},
		"中秋节": {"2026-09-25", "2026-09-27"},
		"国庆节": {"2026-10-01", "2026-10-07"},
	}
	worked2026 = []string{"2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"}
)

func TestTheListOf2026IsTheNotices(t *testing.T) {
	t.Parallel()
	f, err := os.Open("../../deploy/holidays.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := ParseHolidays(f)
	if err != nil {
		t.Fatal(err)
	}
	off, worked := map[string]string{}, []string{}
	for day, s := range list.days {
		if s.works {
			worked = append(worked, day)
		} else {
			off[day] = s.name
		}
	}
	slices.Sort(worked)
	want := map[string]string{}
	for name, span := range notice2026 {
		for d := date(span[0]); !d.After(date(span[1])); d = d.AddDate(0, 0, 1) {
			want[d.Format(dayLayout)] = name
		}
	}
	if d := cmp.Diff(want, off); d != "" {
		t.Errorf("holidays (-notice +list):\n%s", d)
	}
	if d := cmp.Diff(worked2026, worked); d != "" {
		t.Errorf("days that make up for them (-notice +list):\n%s", d)
	}
	for _, day := range worked { // else the list would be of another year
		if w := date(day).Weekday(); w != time.Saturday && w != time.Sunday {
			t.Errorf("%s is a %s and needs no making up", day, w)
		}
	}
}
