package upload

import (
	"math/rand/v2"
	"time"
)

// Backoff is exponential with full jitter: before try n (n ≥ 1 failures so
// far) it waits a random time between 0 and min(Max, Min·2ⁿ⁻¹), but never less
// than half of Min, so that a fault cannot spin.
type Backoff struct {
	Min time.Duration
	Max time.Duration
}

// Ceiling is the longest wait after n failures.
func (b Backoff) Ceiling(n int) time.Duration {
	d := b.Min
	for range max(n-1, 0) {
		if d >= b.Max/2 {
			return b.Max
		}
		d *= 2
	}
	return min(d, b.Max)
}

// Delay is the wait after n failures. A wish of the server (Retry-After) is a
// floor.
func (b Backoff) Delay(n int, wish time.Duration) time.Duration {
	ceiling := b.Ceiling(n)
	floor := min(b.Min/2, ceiling)
	d := floor
	if ceiling > floor {
		d += rand.N(ceiling - floor + 1) //nolint:gosec // jitter, not a secret
	}
	return max(d, wish)
}
