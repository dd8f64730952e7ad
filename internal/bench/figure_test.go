package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// figure is one line of the table.
type figure struct {
	Part   string  `json:"part"`
	What   string  `json:"what"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Target string  `json:"target,omitempty"` // in words; empty: information
	Met    bool    `json:"met"`
	// Ratio is the figure in terms of the yardstick, taken in the same run.
	Ratio     float64 `json:"ratio,omitempty"`
	Yardstick string  `json:"yardstick,omitempty"`
}

// note adds a figure without a target.
func (b *bench) note(f figure) {
	f.Met = true
	b.figures = append(b.figures, f)
}

// atMost and atLeast add a figure with its target.
func (b *bench) atMost(f figure, limit float64) {
	f.Target, f.Met = fmt.Sprintf("≤ %g %s", limit, f.Unit), f.Value <= limit
	b.figures = append(b.figures, f)
}

func (b *bench) atLeast(f figure, limit float64) {
	f.Target, f.Met = fmt.Sprintf("≥ %g %s", limit, f.Unit), f.Value >= limit
	b.figures = append(b.figures, f)
}

// show prints the table and, where asked to, keeps it.
func (b *bench) show(t *testing.T) {
	t.Helper()
	table := b.markdown()
	t.Log("\n" + table)
	for _, f := range b.figures {
		if !f.Met && os.Getenv("HQMS_BENCH_STRICT") == "1" {
			t.Errorf("%s, %s: %g %s, target %s", f.Part, f.What, f.Value, f.Unit, f.Target)
		}
	}
	dir := os.Getenv("HQMS_BENCH_OUT")
	if dir == "" {
		return
	}
	text, err := json.MarshalIndent(map[string]any{
		"at": time.Now().UTC().Format(time.RFC3339), "go": runtime.Version(), "cpus": runtime.NumCPU(), "cpu": processor(), "load": []string{b.load, load()}, "figures": b.figures,
	}, "", "  ")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "bench.json"), append(text, '\n'), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "bench.md"), []byte(table), 0o644))
}

func (b *bench) markdown() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s, %d × %s; load of the machine at the beginning and the end: %s, %s\n\n",
		runtime.Version(), runtime.NumCPU(), processor(), b.load, load())
	s.WriteString("| part | what | figure | target | met | ratio | yardstick |\n|---|---|--:|--:|---|--:|---|\n")
	for _, f := range b.figures {
		met, ratio := "", ""
		if f.Target != "" {
			met = map[bool]string{true: "yes", false: "**no**"}[f.Met]
		}
		if f.Ratio != 0 {
			ratio = short(f.Ratio)
		}
		fmt.Fprintf(&s, "| %s | %s | %s %s | %s | %s | %s | %s |\n", f.Part, f.What, short(f.Value), f.Unit, f.Target, met, ratio, f.Yardstick)
	}
	return s.String()
}

// short gives three digits that matter.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// quantile gives the least of the values that a share p of all do not exceed (nearest
// rank); ms gives milliseconds.
func quantile(all []time.Duration, p float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// load tells how busy the machine is with everything there is: on one that is
// shared, figures in seconds say little.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
