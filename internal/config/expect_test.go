package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestPlansThatCannotBeReadNameTheClause(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"hourly 09:00 flu":                      "FLU_EXPECT expect_rhythm",
		"daily 09:00 flu; 09:00 hda":            "FLU_EXPECT expect_rhythm",
		"weekly monday 09:00 lis":               "FLU_EXPECT expect_weekday",
		"monthly 32 09:00 lis":                  "FLU_EXPECT expect_day",
		"monthly workday 24 09:00 lis":          "FLU_EXPECT expect_day",
		"daily flu":                             "FLU_EXPECT expect_clock",
		"daily 25:00 flu":                       "FLU_EXPECT expect_clock",
		"daily 09:00":                           "FLU_EXPECT expect_kinds",
		"daily 09:00 flu,":                      "FLU_EXPECT expect_kinds",
		"daily 09:00 flu; daily 9 hda; daily x": "FLU_EXPECT expect_clock",
	} {
		if d := cmp.Diff([]string{want}, faultsOf(t, good("FLU_EXPECT="+value))); d != "" {
			t.Errorf("%s: %s", value, d)
		}
	}
}

func TestHolidaysAreCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	list := filepath.Join(t.TempDir(), "holidays.csv")
	write(t, list, "2026-10-01,feast,国庆节\n")
	if d := cmp.Diff([]string{"HOLIDAYS_FILE bad_holidays"}, faultsOf(t, good("HOLIDAYS_FILE="+list))); d != "" {
		t.Error(d)
	}
	cfg, err := Load(good("FLU_EXPECT=workdays 09:00 flu"))
	if err != nil {
		t.Fatal(err)
	}
	if w := cfg.Warnings(); len(w) != 1 || w[0].What != "expect_without_holidays" {
		t.Errorf("working days without holidays: %v", w)
	}
	cfg, err = Load(good("FLU_EXPECT=workdays 09:00 flu", "HOLIDAYS_FILE=../../deploy/holidays.csv"))
	if err != nil || len(cfg.Warnings()) != 0 {
		t.Errorf("the example: %v %v", err, cfg.Warnings())
	}
}

func TestKindsOfOtherChannelsAreNotExpected(t *testing.T) {
	t.Parallel()
	cfg, err := Load(good("FLU_EXPECT=daily 09:00 flu,xyz"))
	if err != nil {
		t.Fatal(err)
	}
	faults := FaultsOf(cfg.CheckKinds(func(upload.Channel) []upload.Kind { return []upload.Kind{"flu", "hda"} }))
	if len(faults) != 1 || faults[0].Variable != "FLU_EXPECT" || faults[0].Params["kind"] != "xyz" || faults[0].Params["kinds"] != "flu, hda" {
		t.Errorf("got %v", faults)
	}
	if err := cfg.CheckKinds(func(upload.Channel) []upload.Kind { return []upload.Kind{"flu", "xyz"} }); err != nil {
		t.Error(err)
	}
}

func TestTheExampleOfHolidaysIsWhereTheWordsSay(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("../../deploy/holidays.csv"); err != nil {
		t.Error(err)
	}
}
