package pace

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestRates(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Rate{
		"2Mbit": 250_000, "2mbit": 250_000, "2 Mbit/s": 250_000, "2Mbps": 250_000, "500kbit": 62_500, "1.5Mbit": 187_500, "1Gbit": 125e6,
		"8000bit": 1000, "1MB": 1_000_000, "1MB/s": 1_000_000, "512KiB": 512 << 10, "64kB": 64_000, "1MiB": 1 << 20,
	} {
		if got, err := ParseRate(s); err != nil || got != want {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
	for s, want := range map[string]error{
		"2": ErrAmbiguous, "2M": ErrAmbiguous, "2mb": ErrAmbiguous, "2Mb": ErrAmbiguous, "2MBps": ErrAmbiguous, "2 foo": ErrAmbiguous, "1mib": ErrAmbiguous,
		"": ErrRate, "fast": ErrRate, "-1MB": ErrRate, "1e3MB": ErrRate, "1,5MB": ErrRate,
		"0Mbit": ErrTooSlow, "7kbit": ErrTooSlow,
	} {
		if got, err := ParseRate(s); !errors.Is(err, want) {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
}

func TestLimitsByTheClock(t *testing.T) {
	t.Parallel()
	l, err := ParseLimits("mon-fri 08:00-18:00 2Mbit; sat,sun 00:00-24:00 40Mbit ; 20Mbit")
	if err != nil {
		t.Fatal(err)
	}
	for now, want := range map[string]int64{"2026-11-27 08:00": 2e6, "2026-11-27 18:00": 20e6, "2026-11-28 09:00": 40e6} {
		if got := l.At(at(t, "Asia/Shanghai", now)).Bits(); got != want {
			t.Errorf("%s: %d", now, got)
		}
	}
	l, err = ParseLimits("08:00-18:00 2Mbit")
	if got := l.At(at(t, "Asia/Shanghai", "2026-11-27 07:59")); err != nil || got != 0 {
		t.Errorf("where it is none's time: %d, %v", got, err)
	}
	for s, want := range map[string]error{";": ErrRate, ";; 1MB": ErrRate, "08:00-18:00": ErrRate, "25:00-26:00 2Mbit": ErrClock, "8-18 2Mbit": ErrClock, "x 08:00-18:00 2Mbit": ErrDay} {
		if _, err := ParseLimits(s); !errors.Is(err, want) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Whatever is taken when by whomever: no stretch of time holds more than its
// share and one burst.
func TestNoStretchOfTimeHoldsMoreThanItsShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate(rapid.Int64Range(int64(Least), 10_000_000).Draw(t, "rate"))
		now := time.Unix(1_800_000_000, 0)
		b := NewBucket(func(time.Time) Rate { return rate }, func() time.Time { return now })
		type given struct {
			at time.Time
			n  int
		}
		var all []given
		most := 0
		for range rapid.IntRange(1, 60).Draw(t, "takes") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "pause")))
			n := rapid.IntRange(1, b.piece()).Draw(t, "n")
			most = max(most, n)
			all = append(all, given{now.Add(max(0, b.reserve(n))), n})
		}
		for i := range all {
			sum := 0
			for k := i; k < len(all); k++ {
				sum += all[k].n
				share := all[k].at.Sub(all[i].at).Seconds()*float64(rate) + Burst.Seconds()*float64(rate) + float64(most) + 1
				if float64(sum) > share {
					t.Fatalf("%d bytes from %s to %s, %f would be right", sum, all[i].at, all[k].at, share)
				}
			}
		}
	})
}

func TestSendersShareTheRateEvenly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(func(time.Time) Rate { return 250_000 }, nil)
		began := time.Now()
		var wg sync.WaitGroup
		ends := make([]time.Duration, 4)
		for i := range ends {
			wg.Go(func() {
				n, err := io.Copy(io.Discard, b.Reader(t.Context(), bytes.NewReader(make([]byte, 250_000))))
				if n != 250_000 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
				ends[i] = time.Since(began)
			})
		}
		wg.Wait()
		for _, end := range ends {
			if end < 3800*time.Millisecond || end > 4*time.Second {
				t.Errorf("ended after %s", end)
			}
		}
	})
}

func TestARestIsNotSavedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(func(time.Time) Rate { return 1_000_000 }, nil)
		b.Take(t.Context(), 1000)
		<-time.After(time.Hour)
		began := time.Now()
		for range 100 {
			b.Take(t.Context(), 10_000)
		}
		if took := time.Since(began); took != time.Second-Burst {
			t.Errorf("a million bytes took %s", took)
		}
	})
}

func TestWhoIsToldToStopDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(func(time.Time) Rate { return Least }, nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		n, err := io.Copy(io.Discard, b.Reader(ctx, bytes.NewReader(make([]byte, 100_000))))
		if took := time.Since(began); took != time.Second || n != 100_000 || err != nil {
			t.Errorf("after %s: %d, %v", took, n, err)
		}
	})
}

func TestARateThatChangesHoldsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rate := Rate(0)
		b := NewBucket(func(time.Time) Rate { return rate }, nil)
		began := time.Now()
		b.Take(t.Context(), 1<<30)
		if took := time.Since(began); took != 0 {
			t.Errorf("without limit: %s", took)
		}
		rate = 1_000_000
		b.Take(t.Context(), 1_000_000)
		if took := time.Since(began); took != time.Second-Burst {
			t.Errorf("with a limit: %s", took)
		}
	})
}
