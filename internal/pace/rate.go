package pace

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is a speed in bytes per second; 0: without limit.
type Rate int64

// Least is the lowest limit: below it not even a ticket's worth would get through.
const Least Rate = 1000

// What is wrong with a limit.
var (
	ErrRate      = errors.New("not a rate")
	ErrAmbiguous = errors.New("bits or bytes?")
	ErrTooSlow   = errors.New("too slow")
)

// unit is a unit of rates: so many bits per second.
type unit struct {
	name string
	bits float64
}

// units are read with their case, but for those that end in bit: b is a bit and
// B a byte, and whoever writes mb may mean either.
var units = []unit{
	{"kbit", 1e3},
	{"Mbit", 1e6},
	{"Gbit", 1e9},
	{"bit", 1},
	{"kbps", 1e3},
	{"Mbps", 1e6},
	{"Gbps", 1e9},
	{"KiB", 8 << 10},
	{"MiB", 8 << 20},
	{"GiB", 8 << 30},
	{"kB", 8e3},
	{"KB", 8e3},
	{"MB", 8e6},
	{"GB", 8e9},
}

// ParseRate reads a rate: a number and its unit. Bits (kbit, Mbit, Gbit, also
// kbps, Mbps, Gbps) and bytes (kB, MB, GB, KiB, MiB, GiB) are per second; a
// trailing /s may be written. ErrAmbiguous where the unit does not tell bits
// from bytes.
func ParseRate(s string) (Rate, error) {
	s = strings.TrimSuffix(strings.TrimSpace(s), "/s")
	number := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	name := s[len(number):]
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || n < 0 || strings.ContainsAny(number, "+-eExX_") {
		return 0, fmt.Errorf("%w: %s", ErrRate, s)
	}
	for _, u := range units {
		if name != u.name && (!strings.HasSuffix(u.name, "bit") || !strings.EqualFold(name, u.name)) {
			continue
		}
		switch bytes := n * u.bits / 8; {
		case bytes < float64(Least):
			return 0, fmt.Errorf("%w: %s", ErrTooSlow, s)
		case bytes > math.MaxInt64/2:
			return 0, fmt.Errorf("%w: %s", ErrRate, s)
		default:
			return Rate(bytes), nil
		}
	}
	return 0, fmt.Errorf("%w: %s", ErrAmbiguous, s)
}

// Bits is the rate in bits per second.
func (r Rate) Bits() int64 { return int64(r) * 8 }

// Limits are rates by the timetable. The zero value never limits.
type Limits struct {
	text  string
	lines []line
}

type line struct {
	when Week
	rate Rate
}

// ParseLimits reads one rate, or several separated by semicolons, each after the
// time it is for: "08:00-18:00 2Mbit; 20Mbit". The first whose time it is counts;
// where it is none's time, there is no limit.
func ParseLimits(s string) (Limits, error) {
	l := Limits{text: strings.TrimSpace(s)}
	for part := range strings.SplitSeq(strings.TrimRight(s, "; "), ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			return Limits{}, fmt.Errorf("%w: nothing between semicolons", ErrRate)
		}
		rate, err := ParseRate(words[len(words)-1])
		if err != nil {
			return Limits{}, err
		}
		when, err := ParseWeek(strings.Join(words[:len(words)-1], " "))
		if err != nil {
			return Limits{}, err
		}
		l.lines = append(l.lines, line{when, rate})
	}
	return l, nil
}

// String is the limits as they were written; empty: none.
func (l Limits) String() string { return l.text }

// At is the limit at t, by t's own location; 0: none.
func (l Limits) At(t time.Time) Rate {
	for _, line := range l.lines {
		if line.when.Holds(t) {
			return line.rate
		}
	}
	return 0
}
