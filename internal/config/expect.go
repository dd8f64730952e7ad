package config

import (
	"errors"
	"os"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// plan reads HQMS_EXPECT or FLU_EXPECT.
func (l *loading) plan(v string) calendar.Plan {
	p, err := calendar.Parse(v)
	wrong, ok := errors.AsType[*calendar.ClauseError](err)
	if !ok {
		return p
	}
	what := map[error]string{
		calendar.ErrRhythm: "expect_rhythm", calendar.ErrWeekday: "expect_weekday", calendar.ErrDayOfMonth: "expect_day",
		calendar.ErrClock: "expect_clock", calendar.ErrKinds: "expect_kinds",
	}[wrong.Err]
	l.fault(l.current.name, what, "clause", quote(wrong.Clause))
	return p
}

// expected checks the holiday list, and whether one is missing.
func (l *loading) expected(cfg *Config) {
	if cfg.HolidaysFile != "" {
		f, err := os.Open(cfg.HolidaysFile)
		if err != nil {
			return // path has said so
		}
		defer f.Close() //nolint:errcheck // read only
		if _, err := calendar.ParseHolidays(f); err != nil {
			l.fault("HOLIDAYS_FILE", "bad_holidays", "path", cfg.HolidaysFile, "cause", err.Error())
		}
		return
	}
	for _, ch := range cfg.Channels() {
		if ch.Expect.NeedsHolidays() {
			l.warn(strings.ToUpper(string(ch.Name))+"_EXPECT", "expect_without_holidays")
		}
	}
}

// CheckKinds finds expected kinds that a channel does not take; known gives
// those it does. The error is a Faults.
func (c *Config) CheckKinds(known func(ch upload.Channel) []upload.Kind) error {
	var faults Faults
	for _, ch := range c.Channels() {
		takes := map[upload.Kind]bool{}
		var names []string
		for _, k := range known(ch.Name) {
			takes[k], names = true, append(names, string(k))
		}
		for _, k := range ch.Expect.Kinds() {
			if !takes[k] {
				faults = append(faults, newFault(strings.ToUpper(string(ch.Name))+"_EXPECT", "expect_unknown_kind",
					"kind", string(k), "channel", string(ch.Name), "kinds", strings.Join(names, ", ")))
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}
