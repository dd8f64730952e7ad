package app

import (
	"testing"
	"time"
)

func TestOnlyASetClockHasJumped(t *testing.T) {
	t.Parallel()
	last := time.Now()
	now := last.Add(time.Minute)
	if by := jumped(last, now); by != 0 {
		t.Errorf("a minute later the clock has jumped by %s", by)
	}
	// Without a steady reading the difference is the wall clock's: no jump is seen.
	if by := jumped(last.Round(0), now.Round(0).Add(time.Hour)); by != 0 {
		t.Errorf("jumped by %s where nobody can tell", by)
	}
}
