package config

import (
	"errors"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pace"
)

// limits reads BANDWIDTH_LIMIT.
func (l *loading) limits(v string) pace.Limits {
	limits, err := pace.ParseLimits(v)
	switch {
	case err == nil:
	case errors.Is(err, pace.ErrAmbiguous):
		l.fault(l.current.name, "rate_ambiguous", "value", quote(v))
	case errors.Is(err, pace.ErrTooSlow):
		l.fault(l.current.name, "rate_too_slow", "value", quote(v))
	case errors.Is(err, pace.ErrRate):
		l.fault(l.current.name, "bad_rate", "value", quote(v))
	default:
		l.badWeek(v, err)
	}
	return limits
}

// week reads UPLOAD_WINDOW.
func (l *loading) week(v string) pace.Week {
	w, err := pace.ParseWeek(v)
	if err != nil {
		l.badWeek(v, err)
	}
	return w
}

func (l *loading) badWeek(v string, err error) {
	switch {
	case errors.Is(err, pace.ErrDay):
		l.fault(l.current.name, "bad_day", "value", quote(v))
	case errors.Is(err, pace.ErrEmpty):
		l.fault(l.current.name, "empty_span", "value", quote(v))
	default:
		l.fault(l.current.name, "bad_clock", "value", quote(v))
	}
}
