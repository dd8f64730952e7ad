package bench

import (
	"os"
	"strings"
	"testing"
)

// gates are ratios that must not get worse than this, about twice as bad as they
// were when they were written down, on machines fast and slow, idle and busy.
// Times belong to a machine and have no gate; what is resident at rest does not,
// and is what was promised.
var gates = []struct {
	part, what string // the figure's, the latter as it begins
	most       bool   // else the least
	ratio      float64
	value      float64 // instead of a ratio: of the figure itself
}{
	{"start", "start to ready", true, 40, 0},              // seen: 8 to 15 × a process that says its version
	{"claim", "rename into place → settled", true, 40, 0}, // seen: 2 to 15 × a durable commit
	{"claim", "close, SETTLE=closed → settled", true, 40, 0},
	{"drain", "CPU per file", true, 160, 0},   // seen: 58 to 72 × a bare commit
	{"scan", "20000 known files", true, 6, 0}, // seen: 1 to 2 × one look at each
	{"rows", "page of the list", true, 20, 0}, // seen: 1 × that with a hundredth of the rows
	{"rows", "start to ready", true, 8, 0},
	{"pass", "flu-2.6: the same, in processor time", false, 0.25, 0}, // seen: 0.5 to 0.6 × packing alone
	{"idle", "resident memory, at its most", true, 0, 25},            // MiB; seen: 20 to 22
}

// gate fails where a ratio is out of bounds, or is not there.
func (b *bench) gate(t *testing.T) {
	t.Helper()
	if os.Getenv("HQMS_BENCH_GATE") != "1" {
		return
	}
	for _, g := range gates {
		found := false
		for _, f := range b.figures {
			if f.Part != g.part || !strings.HasPrefix(f.What, g.what) || f.Ratio == 0 && g.value == 0 {
				continue
			}
			found = true
			if g.value > 0 {
				if f.Value > g.value {
					t.Errorf("%s, %s: %s %s, the gate is %g", f.Part, f.What, short(f.Value), f.Unit, g.value)
				}
				continue
			}
			if g.most && f.Ratio > g.ratio || !g.most && f.Ratio < g.ratio {
				t.Errorf("%s, %s: %s %s, the gate is %g", f.Part, f.What, short(f.Ratio), f.Yardstick, g.ratio)
			}
		}
		if !found {
			t.Errorf("%s, %s: no such figure", g.part, g.what)
		}
	}
}
