package pack

import (
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	kbit = 125.0
	mbit = 1000 * kbit
)

func TestTheSlowerTheLinkTheMoreIsPacked(t *testing.T) {
	t.Parallel()
	for link, want := range map[float64]int{
		1000 * mbit: 1, 100 * mbit: 1, 15 * mbit: DefaultLevel, 2 * mbit: 8, 512 * kbit: lastFast + 1, 64 * kbit: MostLevel - 1,
	} {
		c := NewChooser(map[upload.Channel]float64{upload.Flu: link})
		if got := c.Level(upload.Flu, 50<<20, Circumstances{}); got != want {
			t.Errorf("%.0f kbit/s: level %d, want %d", link/kbit, got, want)
		}
		if got := c.Level(upload.HQMS, 50<<20, Circumstances{}); got != 0 {
			t.Errorf("a link never used: level %d", got)
		}
		if got := c.Level(upload.HQMS, 50<<20, Circumstances{Limit: link}); got != want {
			t.Errorf("a limit of %.0f kbit/s: level %d, want %d", link/kbit, got, want)
		}
	}
}

// Whatever the link: no other level would have had the file arrive sooner, by
// more than the margin.
func TestTheChoiceIsTheSoonest(t *testing.T) {
	t.Parallel()
	for link := 8 * kbit; link < 10_000*mbit; link *= 1.3 {
		c := NewChooser(map[upload.Channel]float64{upload.Flu: link})
		took := func(level int) float64 { return 1/traits[level].speed + usual*traits[level].size/link }
		chosen := c.Level(upload.Flu, 100<<20, Circumstances{})
		for level := range traits {
			if took(level) < 0.99*took(chosen) {
				t.Errorf("%.0f kbit/s: level %d, but %d is sooner by %.1f %%", link/kbit, chosen, level, 100*(1-took(level)/took(chosen)))
			}
		}
	}
}

func TestWhileTheLinkIsBusyPackingIsFree(t *testing.T) {
	t.Parallel()
	c := NewChooser(map[upload.Channel]float64{upload.Flu: 2 * mbit})
	if got := c.Level(upload.Flu, 50<<20, Circumstances{Ahead: 50 << 20}); got != lastFast+3 {
		t.Errorf("level %d", got)
	}
	if got := c.Level(upload.Flu, 500<<10, Circumstances{Ahead: 50 << 20}); got != 8 {
		t.Errorf("a small file: level %d", got)
	}
}

func TestTheMachineIsLearned(t *testing.T) {
	t.Parallel()
	c := NewChooser(map[upload.Channel]float64{upload.Flu: 2 * mbit})
	for range 20 { // a machine of a tenth the speed
		c.Packed(upload.Flu, DefaultLevel, 105e6, 21e6, 10*time.Second)
	}
	if got := c.Level(upload.Flu, 50<<20, Circumstances{}); got != DefaultLevel {
		t.Errorf("slow machine: level %d", got)
	}
	for range 20 { // one of ten times
		c.Packed(upload.Flu, DefaultLevel, 105e6, 21e6, 100*time.Millisecond)
	}
	if got := c.Level(upload.Flu, 50<<20, Circumstances{}); got <= lastFast {
		t.Errorf("fast machine: level %d", got)
	}
	before := c.machine
	c.Packed(upload.Flu, DefaultLevel, 1000, 200, time.Second)
	c.Packed(upload.Flu, 5, 105e6, 21e6, time.Hour)
	if c.machine != before {
		t.Error("a small file, or a level that nothing is known of, was taken for the machine's speed")
	}
}

func TestTheLinkIsLearnedFromWhatTellsIt(t *testing.T) {
	t.Parallel()
	c := NewChooser(nil)
	if got := c.Sent(upload.Flu, 1000, time.Second); got != 0 {
		t.Errorf("a small file told %f", got)
	}
	if got := c.Sent(upload.Flu, 1_000_000, 4*time.Second); got != 250_000 {
		t.Errorf("the first told %f", got)
	}
	for range 30 {
		c.Sent(upload.Flu, 1_000_000, time.Second)
	}
	if got := c.Sent(upload.Flu, 0, 0); got < 999_000 || got > 1_001_000 {
		t.Errorf("after many %f", got)
	}
}
