package calendar

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestPlansAreRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"daily 09:00 flu,hda; monthly 10 09:00 hqms", " Daily  9:00  FLU, hda ;; monthly 10 09:00 hqms; ", "daily 09：00 flu，hda； monthly 10 09：00 hqms",
	} {
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d := cmp.Diff([]upload.Kind{"flu", "hda", "hqms"}, p.Kinds()); d != "" || len(p.clauses) != 2 || p.IsZero() || p.String() != strings.TrimSpace(text) {
			t.Errorf("%q: %+v %s", text, p, d)
		}
	}
	if p, err := Parse(" "); err != nil || !p.IsZero() || p.Kinds() != nil {
		t.Errorf("nothing: %v %v", p, err)
	}
}

func TestFaultyClausesAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"x": ErrRhythm, "hourly 09:00 flu": ErrRhythm, "daily mon 09:00 flu": ErrRhythm, "09:00 flu": ErrRhythm, ":": ErrRhythm, "workday 5 09:00 flu": ErrRhythm,
		"weekly 09:00 flu": ErrWeekday, "weekly mon, 09:00 flu": ErrWeekday, "weekly 1 09:00 flu": ErrWeekday,
		"monthly 09:00 flu": ErrDayOfMonth, "monthly 0 09:00 flu": ErrDayOfMonth, "monthly -1 09:00 flu": ErrDayOfMonth, "monthly workday 0 09:00 flu": ErrDayOfMonth,
		"daily": ErrClock, "daily 9 flu": ErrClock, "daily 24:00 flu": ErrClock, "daily 09:60 flu": ErrClock, "daily 09:5 flu": ErrClock, "daily -1:00 flu": ErrClock,
		"daily 09:00": ErrKinds, "daily 09:00 ;": ErrKinds, "daily 09:00 flu,,hda": ErrKinds, "daily 09:00 ../x": ErrKinds,
	} {
		_, err := Parse("daily 08:00 lis; " + text)
		wrong, ok := errors.AsType[*ClauseError](err)
		if !ok || !errors.Is(err, want) || wrong.Clause != strings.TrimRight(text, " ;") {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"daily 09:00 flu", "monthly workday last 9:00 a", "weekly mon,tue 00:00 a,b;", "；", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if err != nil || len(again.clauses) != len(p.clauses) {
			t.Errorf("%q is not read as it was written: %v", s, err)
		}
		for _, k := range p.Kinds() {
			if !kindName.MatchString(string(k)) {
				t.Errorf("%q became a kind", k)
			}
		}
	})
}

func TestHolidaysAreRead(t *testing.T) {
	t.Parallel()
	h, err := ParseHolidays(strings.NewReader("\ufeffdate,type,name\r\n# a remark\r\n2026-10-01,holiday,国庆节\r\n2026-10-10, 班 ,调休\r\n\r\n2026-10-02,休\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if h.works(date("2026-10-01")) || h.works(date("2026-10-02")) || !h.works(date("2026-10-10")) || h.works(date("2026-10-11")) || !h.works(date("2026-10-12")) {
		t.Errorf("got %+v", h)
	}
	if !h.Covers(2026) || h.Covers(2027) {
		t.Error("it says something about 2026 alone")
	}
	for _, bad := range []string{
		"2026-13-01,holiday", "2026-10-01", "2026-10-01,feast", "01.10.2026,holiday", "2026-10-01,holiday\n2026-10-01,workday", "\"2026-10-01,holiday",
	} {
		if _, err := ParseHolidays(strings.NewReader("2026-01-01,holiday\n" + bad)); !errors.Is(err, ErrHolidays) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	_, err = ParseHolidays(strings.NewReader("date,type,name\n2026-10-01,holiday\n2026-10-02,x\n"))
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("the line is not named: %v", err)
	}
}
