package pace

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	minutesPerDay  = 24 * 60
	minutesPerWeek = 7 * minutesPerDay
)

// days are the names of the days; their places are those of time.Weekday.
var days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// What is wrong with a timetable.
var (
	ErrDay   = errors.New("not a day of the week")
	ErrClock = errors.New("not a time of the day")
	ErrEmpty = errors.New("a span that is empty")
)

// Week is a timetable: the minutes of the week that are inside. The zero Week
// holds all of them.
type Week struct {
	text string
	open *[minutesPerWeek]bool // nil: all; never changed once made
}

// ParseWeek reads a timetable: spans separated by semicolons, each of them
// [days] from-to, e.g. "22:00-06:00" or "mon-fri 22:00-06:00; sat,sun
// 00:00-24:00". A span that goes beyond midnight belongs to the day it begins
// on. Without days it is of every day. An empty text is the zero Week.
func ParseWeek(s string) (Week, error) {
	if strings.TrimSpace(s) == "" {
		return Week{}, nil
	}
	w := Week{text: strings.TrimSpace(s), open: new([minutesPerWeek]bool)}
	for span := range strings.SplitSeq(strings.TrimRight(s, "; "), ";") {
		if err := w.add(span); err != nil {
			return Week{}, err
		}
	}
	return w, nil
}

func (w Week) add(span string) error {
	words := strings.Fields(span)
	if len(words) == 0 {
		return fmt.Errorf("%w: nothing between semicolons", ErrClock)
	}
	from, to, err := parseClocks(words[len(words)-1])
	if err != nil {
		return err
	}
	on := []int{0, 1, 2, 3, 4, 5, 6}
	if len(words) > 1 {
		if on, err = parseDays(strings.Join(words[:len(words)-1], "")); err != nil {
			return err
		}
	}
	for _, day := range on {
		for m := from; m < to; m++ {
			w.open[(day*minutesPerDay+m)%minutesPerWeek] = true
		}
	}
	return nil
}

// parseDays reads mon-fri, sat,sun and the like.
func parseDays(s string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(days, strings.ToLower(first)), slices.Index(days, strings.ToLower(last))
		if from < 0 || to < 0 {
			return nil, fmt.Errorf("%w: %s", ErrDay, part)
		}
		for d := from; ; d = (d + 1) % 7 {
			all = append(all, d)
			if d == to {
				break
			}
		}
	}
	return all, nil
}

// parseClocks reads from-to in minutes of the day; to is beyond the day's end
// where the span goes beyond midnight.
func parseClocks(s string) (from, to int, err error) {
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, fmt.Errorf("%w: %s", ErrClock, s)
	}
	if from, err = parseClock(a); err != nil {
		return 0, 0, err
	}
	if to, err = parseClock(b); err != nil {
		return 0, 0, err
	}
	switch {
	case from == to, from == minutesPerDay:
		return 0, 0, fmt.Errorf("%w: %s", ErrEmpty, s)
	case to < from:
		to += minutesPerDay
	}
	return from, to, nil
}

func parseClock(s string) (int, error) {
	h, m, ok := strings.Cut(s, ":")
	hour, errH := strconv.ParseUint(h, 10, 8)
	minute, errM := strconv.ParseUint(m, 10, 8)
	if !ok || errH != nil || errM != nil || len(m) != 2 || minute > 59 || hour > 24 || hour == 24 && minute > 0 {
		return 0, fmt.Errorf("%w: %s", ErrClock, s)
	}
	return int(hour)*60 + int(minute), nil
}

// String is the timetable as it was written; empty: always.
func (w Week) String() string { return w.text }

// IsZero reports whether every minute is inside.
func (w Week) IsZero() bool { return w.open == nil }

// Holds reports whether t is inside, by t's own location.
func (w Week) Holds(t time.Time) bool {
	return w.open == nil || w.open[int(t.Weekday())*minutesPerDay+t.Hour()*60+t.Minute()]
}

// Change is the first minute after t at which Holds is another than at t; zero
// where it never changes.
func (w Week) Change(t time.Time) time.Time {
	if w.open == nil {
		return time.Time{}
	}
	now, at := w.Holds(t), t.Truncate(time.Minute)
	for range minutesPerWeek + minutesPerDay { // a clock that is put back makes a week longer
		at = at.Add(time.Minute)
		if w.Holds(at) != now {
			return at
		}
	}
	return time.Time{}
}
