package upload

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"
)

func TestBackoffDoublesUpToItsCeiling(t *testing.T) {
	t.Parallel()
	b := Backoff{Min: time.Second, Max: 15 * time.Minute}
	want := []int{1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900}
	for n, w := range want {
		if got := b.Ceiling(n); got.Seconds() != float64(w) {
			t.Errorf("after %d failures: ceiling %v, want %d s", n, got, w)
		}
	}
	if got := b.Ceiling(1 << 30); got != b.Max {
		t.Errorf("after very many failures: %v", got)
	}
}

func TestBackoffStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	b := Backoff{Min: time.Second, Max: time.Minute}
	for n := range 20 {
		for range 200 {
			if d := b.Delay(n, 0); d < b.Min/2 || d > b.Ceiling(n) {
				t.Fatalf("after %d failures: %v not in [%v, %v]", n, d, b.Min/2, b.Ceiling(n))
			}
		}
	}
}

func TestServersWishIsAFloor(t *testing.T) {
	t.Parallel()
	if d := (Backoff{Min: time.Second, Max: time.Minute}).Delay(1, time.Hour); d < time.Hour {
		t.Errorf("Retry-After of an hour, waited %v", d)
	}
}

func TestIDsAreVersion7AndSortByTime(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	earlier, later := NewID(noon), NewID(noon.Add(time.Millisecond))
	if !form.MatchString(string(earlier)) {
		t.Errorf("%s is no UUID version 7", earlier)
	}
	if earlier >= later {
		t.Errorf("%s does not sort before %s", earlier, later)
	}
}

func TestTraceIDsHaveTheLengthsOfW3C(t *testing.T) {
	t.Parallel()
	if trace, span := NewTraceID(); len(trace) != 32 || len(span) != 16 {
		t.Errorf("trace id %q, span id %q", trace, span)
	}
}

func TestUnclassifiedErrorIsAPassingFaultOfOurs(t *testing.T) {
	t.Parallel()
	cause := errors.New("x")
	f := AsFault(fmt.Errorf("stage: %w", cause))
	if f.Class != Passing || f.Reason != InternalFault || !errors.Is(f, cause) {
		t.Errorf("got %+v", f)
	}
	refused := RefusedFault("no")
	if got := AsFault(fmt.Errorf("admit: %w", refused)); got != refused {
		t.Errorf("the classified fault in the chain was not found: %+v", got)
	}
}

func TestFileLeftInPlaceIsKnownByItsIdentity(t *testing.T) {
	t.Parallel()
	seen := Identity{Inode: 1, Size: 2, ModTime: 3, ChangeTime: 4}
	for _, c := range []struct {
		name  string
		u     Upload
		known bool
	}{
		{"kept", Upload{State: StateRetired, Place: InWatch, Source: seen}, true},
		{"failed", Upload{State: StateFailed, Source: seen}, true},
		{"cancelled", Upload{State: StateCancelled, Source: seen}, true},
		{"archived and back again", Upload{State: StateRetired, Place: InArchive, Source: seen}, false},
		{"vanished and back again", Upload{State: StateVanished, Source: seen}, false},
		{"kept, then rewritten", Upload{State: StateRetired, Place: InWatch, Source: Identity{Inode: 1, Size: 2, ModTime: 3, ChangeTime: 5}}, false},
	} {
		if got := c.u.Knows(seen); got != c.known {
			t.Errorf("%s: known %v, want %v", c.name, got, c.known)
		}
	}
}

func TestWorstSeverityOfATally(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tally Tally
		want  Severity
	}{{Tally{}, ""}, {Tally{Warning: 1}, Warning}, {Tally{Warning: 1, Error: 1}, Error}, {Tally{Error: 2, Fatal: 1}, Fatal}} {
		if got := c.tally.Worst(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.tally, got, c.want)
		}
	}
	if Fatal.Rank() <= Error.Rank() || Error.Rank() <= Warning.Rank() || Severity("").Rank() != 0 {
		t.Error("ranks do not order the severities")
	}
}
