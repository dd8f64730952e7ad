package calendar

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// What is wrong with a clause.
var (
	ErrRhythm     = errors.New("does not begin with daily, workdays, weekly or monthly")
	ErrWeekday    = errors.New("names no day of the week")
	ErrDayOfMonth = errors.New("names no day of the month")
	ErrClock      = errors.New("names no time of the day")
	ErrKinds      = errors.New("names no kinds of files")
)

// ClauseError is a clause that cannot be read.
type ClauseError struct {
	Clause string
	Err    error // one of those above
}

// Error implements error.
func (e *ClauseError) Error() string { return fmt.Sprintf("%q %v", e.Clause, e.Err) }

// Unwrap gives what is wrong.
func (e *ClauseError) Unwrap() error { return e.Err }

// weekdays are the names of the days; their places are those of time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// rhythm says on which days a clause has a deadline.
type rhythm int

const (
	daily rhythm = iota
	workdays
	weekly
	monthly
	monthlyWorkday
)

// lastDay stands for the last day of a month.
const lastDay = 0

// clause is one part of a plan.
type clause struct {
	rhythm rhythm
	days   []int // weekly: of the week; monthly: the one of the month, or lastDay; monthlyWorkday: which
	hour   int
	minute int
	kinds  []upload.Kind
}

// Plan is by when a channel's files are due. The zero Plan expects nothing.
type Plan struct {
	text    string
	clauses []clause
}

// Parse reads a plan: clauses separated by semicolons, each of them
//
//	daily              09:00 flu,hda
//	workdays           09:00 flu      (Monday to Friday, but for holidays; and days that make up for them)
//	weekly mon,thu     09:00 lis
//	monthly 10         09:00 hqms     (the 31st is the last day of a shorter month)
//	monthly last       18:00 hqms
//	monthly workday 5  09:00 hqms     (the fifth working day)
//
// Full-width punctuation is read like ASCII. An empty text is the zero Plan. The
// error is a *ClauseError.
func Parse(s string) (Plan, error) {
	p := Plan{text: strings.TrimSpace(s)}
	s = strings.NewReplacer("；", ";", "，", ",", "：", ":", "、", ",").Replace(p.text)
	for part := range strings.SplitSeq(s, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		c, err := parseClause(part)
		if err != nil {
			return Plan{}, &ClauseError{Clause: part, Err: err}
		}
		p.clauses = append(p.clauses, c)
	}
	return p, nil
}

func parseClause(s string) (c clause, err error) {
	words := strings.Fields(strings.ToLower(s))
	at := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, ":") })
	if at < 0 && slices.Contains([]string{"daily", "workdays", "weekly", "monthly"}, words[0]) {
		return c, ErrClock
	}
	if c.rhythm, c.days, err = parseRhythm(words[:max(at, 0)]); err != nil {
		return c, err
	}
	if c.hour, c.minute, err = parseClock(words[at]); err != nil {
		return c, err
	}
	c.kinds, err = parseKinds(strings.Join(words[at+1:], ""))
	return c, err
}

func parseRhythm(words []string) (rhythm, []int, error) {
	if len(words) == 0 {
		return 0, nil, ErrRhythm
	}
	rest := words[1:]
	switch {
	case words[0] == "daily" && len(rest) == 0:
		return daily, nil, nil
	case words[0] == "workdays" && len(rest) == 0:
		return workdays, nil, nil
	case words[0] == "weekly":
		days, err := parseWeekdays(strings.Join(rest, ""))
		return weekly, days, err
	case words[0] == "monthly" && len(rest) == 2 && rest[0] == "workday":
		n, err := parseDayOfMonth(rest[1], 23) // no month has more working days
		return monthlyWorkday, []int{n}, err
	case words[0] == "monthly" && len(rest) == 1:
		n, err := parseDayOfMonth(rest[0], 31)
		return monthly, []int{n}, err
	case words[0] == "monthly":
		return 0, nil, ErrDayOfMonth
	default:
		return 0, nil, ErrRhythm
	}
}

func parseWeekdays(s string) ([]int, error) {
	var all []int
	for name := range strings.SplitSeq(s, ",") {
		day := slices.Index(weekdays, name)
		if day < 0 {
			return nil, ErrWeekday
		}
		all = append(all, day)
	}
	return all, nil
}

func parseDayOfMonth(s string, most int) (int, error) {
	if s == "last" {
		return lastDay, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, ErrDayOfMonth
	}
	return n, nil
}

func parseClock(s string) (hour, minute int, err error) {
	h, m, _ := strings.Cut(s, ":")
	hour, errH := strconv.Atoi(h)
	minute, errM := strconv.Atoi(m)
	if errH != nil || errM != nil || len(m) != 2 || hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, 0, ErrClock
	}
	return hour, minute, nil
}

var kindName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

func parseKinds(s string) ([]upload.Kind, error) {
	var all []upload.Kind
	for name := range strings.SplitSeq(s, ",") {
		if !kindName.MatchString(name) {
			return nil, ErrKinds
		}
		if k := upload.Kind(name); !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all, nil
}

// String is the plan as it was written.
func (p Plan) String() string { return p.text }

// IsZero reports whether nothing is expected.
func (p Plan) IsZero() bool { return len(p.clauses) == 0 }

// Kinds are the kinds the plan names, in the order it does.
func (p Plan) Kinds() []upload.Kind {
	var all []upload.Kind
	for _, c := range p.clauses {
		for _, k := range c.kinds {
			if !slices.Contains(all, k) {
				all = append(all, k)
			}
		}
	}
	return all
}

// NeedsHolidays reports whether a clause asks which days are working days.
func (p Plan) NeedsHolidays() bool {
	return slices.ContainsFunc(p.clauses, func(c clause) bool { return c.rhythm == workdays || c.rhythm == monthlyWorkday })
}
