package pack

import (
	"errors"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pack/optimal"
)

// feeding tells an estimate of chunk after chunk: each has become 1,000 bytes
// before, and becomes made(effort) bytes in a time that goes with the effort.
func feeding(e *estimate, chunks int, made func(n, effort int) int64) error {
	var out int64
	now := e.since.at
	for n := 1; n <= chunks; n++ {
		e.taken = append(e.taken, int64(n)*1000)
		out += made(n, e.effort)
		now = now.Add(time.Duration(e.effort) * time.Second)
		if err := e.became(int64(n)*optimal.ChunkSize, out, now); err != nil {
			return err
		}
	}
	return nil
}

func estimating(effort int, pace float64) *estimate {
	e := newEstimate(64*optimal.ChunkSize, effort, pace, time.Unix(0, 0))
	e.total = 64_000
	return &e
}

func steadily(n int64) func(int, int) int64 { return func(int, int) int64 { return n } }

func TestWhatIsForetoldIsWhatASampleHasBecomeAndAMargin(t *testing.T) {
	t.Parallel()
	e := estimating(optimal.Most, 0)
	if err := feeding(e, 64, steadily(800)); err != nil {
		t.Fatal(err)
	}
	if least := int64(64 * 800); e.size < least || e.size > least*102/100 {
		t.Errorf("%d bytes were foretold, %d came", e.size, least)
	}
}

func TestAMachineThatDoesNotKeepUpMakesLessEffort(t *testing.T) {
	t.Parallel()
	e := estimating(optimal.Most, 350) // 800 bytes in 4 s are too few, in 2 s enough
	if err := feeding(e, 64, steadily(800)); err != nil {
		t.Fatal(err)
	}
	if e.effort != 2 || e.size == 0 {
		t.Errorf("effort %d, %d bytes", e.effort, e.size)
	}
	e = estimating(optimal.Most, 10_000)
	if err := feeding(e, 64, steadily(800)); !errors.Is(err, ErrNoGain) {
		t.Errorf("no effort would do: %v", err)
	}
}

func TestMoreEffortIsMadeWhenItLooksAsIfItWouldNotFit(t *testing.T) {
	t.Parallel()
	e := estimating(2, 0)
	err := feeding(e, 64, func(n, effort int) int64 {
		if n > 10 && effort == 2 {
			return 815 // the rest is harder
		}
		return 800
	})
	if err != nil || e.effort <= 2 {
		t.Errorf("effort %d, %v", e.effort, err)
	}
}

func TestWhatWillNotFitIsGivenUp(t *testing.T) {
	t.Parallel()
	e := estimating(optimal.Most, 0)
	seen := 0
	err := feeding(e, 64, func(n, _ int) int64 {
		seen = n
		if n > 10 {
			return 990
		}
		return 800
	})
	if !errors.Is(err, ErrOutgrown) || seen > 40 {
		t.Errorf("given up at %d: %v", seen, err)
	}
	e = estimating(optimal.Most, 0)
	if err := feeding(e, 64, steadily(980)); !errors.Is(err, ErrNoGain) {
		t.Errorf("two percent are not worth it: %v", err)
	}
}
