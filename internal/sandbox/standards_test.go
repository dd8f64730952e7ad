package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestTheStandardsDecideOverARealFile(t *testing.T) {
	t.Parallel()
	standards, err := NewStandards(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	lis := func(rows ...string) string {
		return "P7501,P7502,P7506,P8000,P8001,P8002,P8003,P8004,P8005\n" + strings.Join(rows, "\n") + "\n"
	}
	const fine, warned, bad = "01,V1,2026-01-02 08:00:00,S1,1,2026-01-02 09:00:00,阴性,2,",
		"01,V2,2026-01-02 08:00:00,S2,1,2026-01-02,阴性,2,", "01,V3,2026-13-02 08:00:00,S3,1,2026-01-02 09:00:00,阴性,2,"
	for name, c := range map[string]struct {
		csv    string
		grades *upload.Grades
		says   string
	}{
		"fine":         {lis(fine), &upload.Grades{Interface: 1, Stocked: 1, Total: 1, Grade: 3}, ""},
		"a warning":    {lis(fine, warned), &upload.Grades{Technical: 1, Interface: 1, Stocked: 2, Total: 2, Grade: 2}, ""},
		"one in error": {lis(fine, warned, bad), &upload.Grades{Below: 1, Technical: 1, Interface: 1, Stocked: 2, Total: 3}, "第 4 行 P7506"},
	} {
		r := start(t, Options{Examiner: standards})
		r.send("/flu", "lis_1.csv", c.csv)
		got := r.settled(1)[0]
		if diff := cmp.Diff(c.grades, got.Grades); diff != "" {
			t.Errorf("%s: %s\n%+v", name, diff, got.Findings)
		}
		if got.Kind != "lis" || got.Standard != "flu-2.6" || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: kind %s, standard %s, message %q", name, got.Kind, got.Standard, got.Message)
		}
	}
}

func TestWhatIsNoFileOfTheChannelIsFailed(t *testing.T) {
	t.Parallel()
	standards, err := NewStandards(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, Options{Examiner: standards})
	r.send("/hqms", "lis_1.csv", "P7501\n01\n")
	r.send("/flu", "flu_1.csv", "\x00\x01\x02")
	r.send("/flu", "flu_2.csv", "")
	for _, a := range r.settled(3) {
		if a.Verdict != upload.Rejected || a.Message == "" {
			t.Errorf("%s: %s %q", a.Filename, a.Verdict, a.Message)
		}
	}
}
