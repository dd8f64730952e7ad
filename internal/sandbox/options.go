package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Options says how a sandbox behaves. The zero value is a sandbox in memory
// with the account demo/demo that works everything off at once.
type Options struct {
	// Dir keeps the state over restarts. Empty: a temporary directory, removed by Close.
	Dir string
	// KeepFiles keeps the received packages in Dir; else only digests and counts stay.
	KeepFiles bool

	// Channel is the channel of base paths that name none; empty: by file name
	// (hqms_* is then the hqms channel, the other feeds flu).
	Channel upload.Channel
	// Accounts maps account to password. Empty: demo/demo.
	Accounts map[string]string
	// AdminToken guards /sandbox/ by a bearer token; empty: open.
	AdminToken string

	// Step is how long each of the three steps (unpack, check, save) takes at least.
	Step time.Duration
	// TokenTTL is how long a token may be used for an upload (default 30 min).
	TokenTTL time.Duration
	// ResultTTL is how long a result can be asked for after it is known; 0: for ever.
	ResultTTL time.Duration
	// Stall is how long a body may make no progress (default 60 s).
	Stall time.Duration

	// MaxPacked and MaxUnpacked bound a package and its CSV (default 2 GiB, 8 GiB).
	MaxPacked, MaxUnpacked int64
	// MaxArrivals is how many deliveries are remembered (default 100,000); older
	// ones are forgotten, together with what they say about duplicates.
	MaxArrivals int

	// AcceptDuplicates switches the detection of duplicates off, so that a
	// client's own care shows in the count of acceptances.
	AcceptDuplicates bool
	// Reject and Partial are patterns of file names (*, ?, without regard to
	// case) that fail, or are stored in part, whatever they hold.
	Reject, Partial []string
	// Faults are set from the start; see [Fault].
	Faults []Fault

	// Examiner checks the CSVs; nil: the embedded standards.
	Examiner Examiner
	// Now is the clock (default time.Now).
	Now func() time.Time
	// Logger gets what happens; nil: nothing.
	Logger *slog.Logger
}

const (
	mebi = 1 << 20
	gibi = 1 << 30
)

// withDefaults fills what is not set and refuses what cannot be meant.
func (o Options) withDefaults() (Options, error) {
	if len(o.Accounts) == 0 {
		o.Accounts = map[string]string{"demo": "demo"}
	}
	o.TokenTTL = orDefault(o.TokenTTL, 30*time.Minute)
	o.Stall = orDefault(o.Stall, time.Minute)
	o.MaxPacked = orDefault(o.MaxPacked, 2*gibi)
	o.MaxUnpacked = orDefault(o.MaxUnpacked, 8*gibi)
	o.MaxArrivals = orDefault(o.MaxArrivals, 100_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var errs []error
	if o.Channel != "" && o.Channel != upload.Flu && o.Channel != upload.HQMS {
		errs = append(errs, fmt.Errorf("channel %q: must be flu or hqms", o.Channel))
	}
	if o.Step < 0 || o.TokenTTL < 0 || o.ResultTTL < 0 || o.Stall < 0 || o.MaxPacked < 0 || o.MaxUnpacked < 0 || o.MaxArrivals < 0 {
		errs = append(errs, errors.New("durations and sizes must not be negative"))
	}
	for _, pattern := range append(append([]string{}, o.Reject...), o.Partial...) {
		if _, err := path.Match(pattern, ""); err != nil {
			errs = append(errs, fmt.Errorf("pattern %q: %w", pattern, err))
		}
	}
	for _, f := range o.Faults {
		errs = append(errs, f.check())
	}
	return o, errors.Join(errs...)
}

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// matchesAny reports whether a file name fits one of the patterns, without
// regard to case. A broken pattern fits nothing; Options refuses it earlier.
func matchesAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name)); err == nil && ok {
			return true
		}
	}
	return false
}
