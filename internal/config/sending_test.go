package config

import (
	"slices"
	"testing"
	"time"
)

func TestWhenAndHowFastIsRefusedWithWords(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"BANDWIDTH_LIMIT=2Mb":                  "BANDWIDTH_LIMIT rate_ambiguous",
		"BANDWIDTH_LIMIT=2":                    "BANDWIDTH_LIMIT rate_ambiguous",
		"BANDWIDTH_LIMIT=fast":                 "BANDWIDTH_LIMIT bad_rate",
		"BANDWIDTH_LIMIT=0Mbit":                "BANDWIDTH_LIMIT rate_too_slow",
		"BANDWIDTH_LIMIT=8-18 2Mbit":           "BANDWIDTH_LIMIT bad_clock",
		"UPLOAD_WINDOW=22-06":                  "UPLOAD_WINDOW bad_clock",
		"UPLOAD_WINDOW=monday 22:00-06:00":     "UPLOAD_WINDOW bad_day",
		"UPLOAD_WINDOW=mon 22:00-22:00":        "UPLOAD_WINDOW empty_span",
		"UPLOAD_WINDOW=mon-fri 22:00-06:00; x": "UPLOAD_WINDOW bad_clock",
	} {
		if got := faultsOf(t, good(setting)); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q", setting, got)
		}
	}
}

func TestWhenAndHowFastIsShownAsSet(t *testing.T) {
	t.Parallel()
	cfg, err := Load(good("BANDWIDTH_LIMIT=08:00-18:00 2Mbit; 20Mbit", "UPLOAD_WINDOW=mon-fri 22:00-06:00; sat,sun 00:00-24:00"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, s := range cfg.Settings() {
		shown[s.Name] = s.Value
	}
	if shown["BANDWIDTH_LIMIT"] != "08:00-18:00 2Mbit; 20Mbit" || shown["UPLOAD_WINDOW"] != "mon-fri 22:00-06:00; sat,sun 00:00-24:00" {
		t.Errorf("shown: %v", shown)
	}
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	if cfg.BandwidthLimit.At(noon).Bits() != 2e6 || cfg.UploadWindow.Holds(noon) {
		t.Error("not what was set")
	}
}
