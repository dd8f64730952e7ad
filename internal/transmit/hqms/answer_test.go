package hqms

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestStatusTable(t *testing.T) {
	t.Parallel()
	counts := func(stocked, total string) string {
		return `{"status":4,"checkgrade":{"stocked":` + stocked + `,"total":` + total + `}}`
	}
	for name, c := range map[string]struct {
		result   string
		standing upload.Standing
		verdict  upload.Verdict
		reason   upload.Reason
	}{
		"uploaded":                {`{"status":0}`, upload.StandingWorking, "", upload.ServerWorking},
		"unpacking":               {`{"status":"1"}`, upload.StandingWorking, "", upload.ServerWorking},
		"checking":                {`{"status":2.0}`, upload.StandingWorking, "", upload.ServerWorking},
		"saving":                  {`{"status":" 3 "}`, upload.StandingWorking, "", upload.ServerWorking},
		"all stored":              {counts("10", "10"), upload.StandingDone, upload.Accepted, ""},
		"all stored, as text":     {counts(`"10"`, `"10"`), upload.StandingDone, upload.Accepted, ""},
		"some stored":             {counts("3", "10"), upload.StandingDone, upload.PartiallyAccepted, upload.PartlyStored},
		"none stored":             {counts("0", "10"), upload.StandingDone, upload.Rejected, upload.RejectedByServer},
		"nothing to store":        {counts("0", "0"), upload.StandingDone, upload.Accepted, ""},
		"more stored than sent":   {counts("11", "10"), upload.StandingWorking, "", upload.ServerUnreadable},
		"less than none stored":   {counts("-1", "10"), upload.StandingWorking, "", upload.ServerUnreadable},
		"done without counts":     {`{"status":4}`, upload.StandingWorking, "", upload.ServerUnreadable},
		"done with odd counts":    {`{"status":4,"checkgrade":"10"}`, upload.StandingWorking, "", upload.ServerUnreadable},
		"half of the counts":      {`{"status":4,"checkgrade":{"stocked":10}}`, upload.StandingWorking, "", upload.ServerUnreadable},
		"failed":                  {`{"status":5,"errormsg":"x"}`, upload.StandingDone, upload.Rejected, upload.RejectedByServer},
		"duplicate":               {`{"status":6}`, upload.StandingDuplicate, "", upload.ServerHasIt},
		"a status nobody knows":   {`{"status":7}`, upload.StandingWorking, "", upload.VerdictUnknown},
		"no status":               {`{"id":1}`, upload.StandingWorking, "", upload.VerdictUnknown},
		"a status of words":       {`{"status":"done"}`, upload.StandingWorking, "", upload.VerdictUnknown},
		"no result":               {`null`, upload.StandingUnknown, "", ""},
		"a result that is a word": {`"none"`, upload.StandingUnknown, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := parse([]byte(`{"succ":true,"result":` + c.result + `}`))
			if err != nil {
				t.Fatal(err)
			}
			got := a.standing(time.Now())
			if got.Standing != c.standing || got.Verdict != c.verdict || got.Reason != c.reason {
				t.Errorf("got %s %q %q", got.Standing, got.Verdict, got.Reason)
			}
		})
	}
}

func TestUnreadableAnswersAreNamedNotQuoted(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"": "the answer is empty", " \n": "the answer is empty", "<html>": "the answer is a web page", "[]": "the answer is no JSON object",
		`{"succ":§}`: "the answer is damaged or cut short", `{} {}`: "the answer is damaged or cut short",
		"{}" + strings.Repeat(" ", maxAnswer): "the answer is too long",
	} {
		if _, err := parse([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", body, err, want)
		}
	}
}

func TestReceiptKeepsAllThatTheServerSaid(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	a, err := parse([]byte(`{"succ":true,"errMsg":"m","errorCode":9,"errorStack":"` + strings.Repeat("栈", 2000) + `","result":
		{"id":123,"loaddate":"2026-11-23 10:00:00","status":4,"errormsg":"a\u0007b","hasErrorMsg":false,
		"checkgrade":{"grade0":1,"grade1":"10","grade2":2,"grade3":3,"stocked":10,"total":11,"grade":1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := *a.standing(now).Receipt
	if len(got.Stack) > maxText || !utf8.ValidString(got.Stack) || len(got.Stack) < maxText-3 {
		t.Errorf("the stack has %d bytes", len(got.Stack))
	}
	got.Stack = ""
	want := upload.Receipt{
		ServerID: "123", Status: "4", Code: "9", Message: "a b", LoadedAt: "2026-11-23 10:00:00", At: now,
		Grades: &upload.Grades{Below: 1, Storing: 10, Technical: 2, Interface: 3, Stocked: 10, Total: 11, Grade: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCopyIsNotReadOnceTheSendingHasEnded(t *testing.T) {
	t.Parallel()
	r := strings.NewReader("0123456789")
	m := &meter{r: r}
	if _, err := m.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if n, _ := m.stop(); n != 4 {
		t.Errorf("sent %d", n)
	}
	if n, err := m.Read(make([]byte, 4)); n != 0 || err == nil || r.Len() != 6 {
		t.Errorf("read %d more, %v", n, err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "-5": 0, "soon": 0, "99999999": maxWish,
		"Mon, 23 Nov 2026 10:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 09:00:00 GMT": 0,
	} {
		if got := retryAfter(map[string][]string{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"succ":true,"result":{"token":"45fb"}}`, `{"succ":"0","errMsg":["x"]}`, `{"succ":true,"result":{"status":4,"checkgrade":{"stocked":1,"total":1}}}`,
		`{"result":{"status":1e400,"checkgrade":{"total":"9999999999999999999"}}}`, "\xef\xbb\xbf{}", "<html>", `{"result":{"id":{"a":[1]}}}`, `{"succ":tru`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parse(b)
		if err != nil {
			return
		}
		x := a.standing(time.Unix(0, 0))
		if (x.Verdict != "") != (x.Standing == upload.StandingDone) || (x.Verdict != "" && !x.Verdict.Valid()) {
			t.Errorf("standing %q with verdict %q", x.Standing, x.Verdict)
		}
		if x.Reason != "" && !x.Reason.Valid() {
			t.Errorf("reason %q", x.Reason)
		}
		if x.Verdict == upload.Accepted && (x.Receipt.Grades == nil || x.Receipt.Grades.Stocked != x.Receipt.Grades.Total) {
			t.Error("accepted without proof")
		}
		r := x.Receipt
		for _, s := range []string{r.Status, r.Code, r.Message, r.ServerID, r.LoadedAt, r.Stack} {
			if !utf8.ValidString(s) || len(s) > maxText+2*utf8.UTFMax {
				t.Errorf("a text of %d bytes", len(s))
			}
		}
		if tok := a.token(); validToken(tok) && strings.ContainsAny(tok, " \r\n\x00") {
			t.Error("an unfit token was taken")
		}
	})
}
