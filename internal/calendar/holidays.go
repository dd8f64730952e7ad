package calendar

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// holidaysLimit bounds a holiday list; a line has some thirty bytes.
const holidaysLimit = 1 << 20

// dayLayout is how days are written.
const dayLayout = "2006-01-02"

// ErrHolidays says that a holiday list cannot be read; the text names the line.
var ErrHolidays = errors.New("holiday list cannot be read")

// Holidays are the days on which people do otherwise than the day of the week
// says. The zero Holidays are none.
type Holidays struct {
	days map[string]special
}

type special struct {
	works bool
	name  string
}

// ParseHolidays reads a holiday list: CSV lines of date, type and name, e.g.
//
//	2026-10-01,holiday,国庆节
//	2026-10-10,workday,国庆节调休
//
// The type may also be 休 or 班. A heading, empty lines and lines that begin with #
// are passed over. The error is ErrHolidays with the line and what is wrong.
func ParseHolidays(r io.Reader) (Holidays, error) {
	lines := csv.NewReader(io.LimitReader(r, holidaysLimit))
	lines.Comment, lines.FieldsPerRecord, lines.TrimLeadingSpace = '#', -1, true
	h := Holidays{days: map[string]special{}}
	for first := true; ; first = false {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return h, nil
		}
		if err != nil {
			return Holidays{}, fmt.Errorf("%w: %w", ErrHolidays, err)
		}
		line, _ := lines.FieldPos(0)
		day := strings.TrimSpace(strings.TrimPrefix(fields[0], "\ufeff"))
		if first && (day == "date" || day == "日期") {
			continue
		}
		if err := h.add(day, fields[1:]); err != nil {
			return Holidays{}, fmt.Errorf("%w: line %d: %w", ErrHolidays, line, err)
		}
	}
}

func (h Holidays) add(day string, rest []string) error {
	if _, err := time.Parse(dayLayout, day); err != nil {
		return errors.New("the first column is no date like 2026-10-01")
	}
	if len(rest) == 0 {
		return errors.New("the second column, holiday or workday, is missing")
	}
	var s special
	switch strings.ToLower(strings.TrimSpace(rest[0])) {
	case "holiday", "休":
	case "workday", "班":
		s.works = true
	default:
		return errors.New("the second column is neither holiday nor workday")
	}
	if len(rest) > 1 {
		s.name = strings.TrimSpace(rest[1])
	}
	if before, twice := h.days[day]; twice && before.works != s.works {
		return fmt.Errorf("%s is both a holiday and a working day", day)
	}
	h.days[day] = s
	return nil
}

// works reports whether people work on the day.
func (h Holidays) works(day time.Time) bool {
	if s, listed := h.days[day.Format(dayLayout)]; listed {
		return s.works
	}
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

// holiday gives the name of a holiday that is listed as one.
func (h Holidays) holiday(day time.Time) (name string, listed bool) {
	s, listed := h.days[day.Format(dayLayout)]
	return s.name, listed && !s.works
}

// Covers reports whether the list says anything about the year.
func (h Holidays) Covers(year int) bool {
	prefix := fmt.Sprintf("%04d-", year)
	for day := range h.days {
		if strings.HasPrefix(day, prefix) {
			return true
		}
	}
	return false
}
