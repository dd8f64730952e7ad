package sandbox

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestAFileGoesFromTokenToVerdict(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]upload.Channel{
		"": upload.Flu, "/flu": upload.Flu, "/hqms": upload.HQMS, "/some/where/HQMS/x": upload.HQMS,
	} {
		t.Run("under "+base, func(t *testing.T) {
			t.Parallel()
			r := start(t, Options{})
			token := r.send(base, "flu_1.csv", "A\n1\n2\n")
			got := r.settled(1)[0]
			if got.Channel != want || got.Verdict != upload.Accepted || got.Rows != 2 || got.Digest != digestOf("A\n1\n2\n") || got.Accepted != 1 {
				t.Errorf("got %+v", got)
			}
			rep := r.result(base, token)
			wantGrades := &upload.Grades{Interface: 2, Stocked: 2, Total: 2, Grade: 3}
			if !rep.Succ || rep.Result.Status != Done || !cmp.Equal(rep.Result.CheckGrade, wantGrades) || rep.Result.HasErrorMsg {
				t.Errorf("result: %+v", rep)
			}
		})
	}
}

func TestTheBarePathTellsTheChannelByOptionElseByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		option upload.Channel
		name   string
		want   upload.Channel
	}{
		{"", "hqms_1.csv", upload.HQMS},
		{"", "HQMSTS_1.csv", upload.HQMS},
		{"", "lis_1.csv", upload.Flu},
		{upload.Flu, "hqms_1.csv", upload.Flu},
		{upload.HQMS, "lis_1.csv", upload.HQMS},
	} {
		r := start(t, Options{Channel: c.option})
		r.send("", c.name, "A\n1\n")
		if got := r.settled(1)[0].Channel; got != c.want {
			t.Errorf("option %q, file %s: channel %s, want %s", c.option, c.name, got, c.want)
		}
	}
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, Options{MaxPacked: 4096})
	used := r.send("/flu", "flu_1.csv", "A\n1\n")
	fine := zipOf(t, "flu_2.csv", "A\n2\n")
	for name, c := range map[string]struct {
		do   func() reply
		code string
	}{
		"wrong password":        {func() reply { return r.get("/flu" + login("demo", "demo1")) }, "LOGIN_FAILED"},
		"wrong account":         {func() reply { return r.get("/flu" + login("nobody", "")) }, "LOGIN_FAILED"},
		"no account":            {func() reply { return r.get("/flu" + pathToken) }, "LOGIN_FAILED"},
		"result without token":  {func() reply { return r.result("/flu", "").reply }, "TOKEN_UNKNOWN"},
		"result before upload":  {func() reply { return r.result("/flu", r.token("/flu")).reply }, "NO_UPLOAD"},
		"result elsewhere":      {func() reply { return r.result("/hqms", used).reply }, "TOKEN_UNKNOWN"},
		"upload without token":  {func() reply { return r.decode(r.post("/flu", "", fine, "")) }, "TOKEN_UNKNOWN"},
		"upload elsewhere":      {func() reply { return r.decode(r.post("/hqms", r.token("/flu"), fine, "")) }, "TOKEN_UNKNOWN"},
		"a token's second file": {func() reply { return r.decode(r.post("/flu", used, fine, "")) }, "TOKEN_USED"},
		"an unknown coding":     {func() reply { return r.decode(r.post("/flu", r.token("/flu"), fine, "&rc020=3")) }, "BAD_PARAMETER"},
		"an empty body":         {func() reply { return r.decode(r.post("/flu", r.token("/flu"), nil, "")) }, "EMPTY"},
		"a large body": {func() reply {
			return r.decode(r.post("/flu", r.token("/flu"), bytes.Repeat([]byte("x"), 4097), ""))
		}, "TOO_LARGE"},
	} {
		if rep := c.do(); rep.Succ || rep.ErrorCode != c.code || rep.ErrMsg == "" {
			t.Errorf("%s: succ %v, code %q, message %q; want %s", name, rep.Succ, rep.ErrorCode, rep.ErrMsg, c.code)
		}
	}
	want := map[string]int{"demo": 1, unknownAccount: 2}
	if got := r.Report().Counts.WrongLogins; !cmp.Equal(got, want) {
		t.Errorf("wrong logins %v, want %v", got, want)
	}
	if n := len(r.Arrivals()); n != 1 {
		t.Errorf("%d arrivals, want 1", n)
	}
}

func TestWrongMethodAndChunkedBodiesAreAnsweredByStatus(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	chunked := func() *http.Request {
		req, _ := http.NewRequest(http.MethodPost, r.http.URL+"/flu"+pathUpload+"?token="+r.token("/flu"), struct{ *bytes.Reader }{bytes.NewReader([]byte("PK"))})
		return req
	}
	get, _ := http.NewRequest(http.MethodGet, r.http.URL+"/flu"+pathUpload, nil)
	post, _ := http.NewRequest(http.MethodPost, r.http.URL+"/flu"+login("demo", "demo"), nil)
	nowhere, _ := http.NewRequest(http.MethodGet, r.http.URL+"/flu/docking/auto/other.shtml", nil)
	for want, req := range map[int]*http.Request{411: chunked(), 405: get, 404: nowhere} {
		resp, err := r.http.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s %s: %d, want %d", req.Method, req.URL.Path, resp.StatusCode, want)
		}
	}
	resp, err := r.http.Client().Do(post)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST for a token: %v %v", resp, err)
	}
}

func TestWhatCameWithTheUploadIsKept(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	resp, err := r.post("/hqms", r.token("/hqms"), zipOf(t, "hqms_1.csv", "A\n1\n"), "&rc020=1&rc021=2")
	r.decode(resp, err)
	got := r.settled(1)[0]
	if !cmp.Equal(got.Coding, map[string]string{"rc020": "1", "rc021": "2"}) || !strings.HasPrefix(got.Header["Content-Type"], "multipart/form-data; boundary=Bounday") {
		t.Errorf("coding %v, header %v", got.Coding, got.Header)
	}
}

func TestVerdictsFollowTheRowsAndTheNames(t *testing.T) {
	t.Parallel()
	opts := Options{Reject: []string{"*_Reject*"}, Partial: []string{"*_partial*"}}
	for name, c := range map[string]struct {
		file, csv string
		status    Status
		verdict   upload.Verdict
		grades    *upload.Grades
	}{
		"all fine":            {"flu_1.csv", "A\n1\n2\n", Done, upload.Accepted, &upload.Grades{Interface: 2, Stocked: 2, Total: 2, Grade: 3}},
		"a warning":           {"flu_1.csv", "A\nwarn\n2\n", Done, upload.Accepted, &upload.Grades{Technical: 1, Interface: 1, Stocked: 2, Total: 2, Grade: 2}},
		"some in error":       {"flu_1.csv", "A\nbad\nwarn\n3\n", Done, upload.PartiallyAccepted, &upload.Grades{Below: 1, Technical: 1, Interface: 1, Stocked: 2, Total: 3}},
		"all in error":        {"flu_1.csv", "A\nbad\n", Done, upload.Rejected, &upload.Grades{Below: 1, Total: 1}},
		"not to be read":      {"flu_1.csv", "A\nfatal\n", Failed, upload.Rejected, nil},
		"no rows":             {"flu_1.csv", "A\n", Failed, upload.Rejected, nil},
		"no such kind":        {"other.csv", "A\n1\n", Failed, upload.Rejected, nil},
		"rejected by name":    {"flu_rejected_REJECT.csv", "A\n1\n", Failed, upload.Rejected, nil},
		"partial by name":     {"flu_1_partial.csv", "A\n1\n2\n3\n", Done, upload.PartiallyAccepted, &upload.Grades{Below: 2, Interface: 1, Stocked: 1, Total: 3}},
		"partial of one only": {"flu_1_partial.csv", "A\n1\n", Done, upload.Rejected, &upload.Grades{Below: 1, Total: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, opts)
			r.send("/flu", c.file, c.csv)
			got := r.settled(1)[0]
			if got.Status != c.status || got.Verdict != c.verdict || !cmp.Equal(got.Grades, c.grades) {
				t.Errorf("status %d, %s, %+v (%s)", got.Status, got.Verdict, got.Grades, got.Message)
			}
			if (c.verdict != upload.Accepted) != (got.Message != "") {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}

func TestDuplicatesAreOfContentAccountAndChannel(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Accounts: map[string]string{"demo": "demo", "other": "x"}})
	verdictOf := func(token, base string) upload.Verdict {
		t.Helper()
		arrivals := r.settled(len(r.Arrivals()))
		_ = r.result(base, token)
		return arrivals[len(arrivals)-1].Verdict
	}
	const csv, bad = "A\n1\n", "A\nbad\n"
	for _, c := range []struct {
		what, base, file, csv string
		want                  upload.Verdict
	}{
		{"first time", "/flu", "flu_1.csv", csv, upload.Accepted},
		{"again", "/flu", "flu_1.csv", csv, upload.Duplicate},
		{"again under another name", "/flu", "flu_2.csv", csv, upload.Duplicate},
		{"on the other channel", "/hqms", "hqms_1.csv", csv, upload.Accepted},
		{"rejected", "/flu", "flu_3.csv", bad, upload.Rejected},
		{"rejected again: nothing was stored", "/flu", "flu_3.csv", bad, upload.Rejected},
	} {
		if got := verdictOf(r.send(c.base, c.file, c.csv), c.base); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	if rec, acc := r.Received(digestOf(csv)), r.Accepted(digestOf(csv)); rec != 4 || acc != 2 {
		t.Errorf("received %d, accepted %d; want 4 and 2", rec, acc)
	}
}

func TestWithDuplicatesAcceptedTheCountShowsThem(t *testing.T) {
	t.Parallel()
	r := start(t, Options{AcceptDuplicates: true})
	r.send("/flu", "flu_1.csv", "A\n1\n")
	r.send("/flu", "flu_1.csv", "A\n1\n")
	for _, a := range r.settled(2) {
		if a.Verdict != upload.Accepted || a.Accepted != 2 {
			t.Errorf("%s, accepted %d times", a.Verdict, a.Accepted)
		}
	}
}

func TestDeliveriesAreWorkedOffInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	r.Pause()
	var sending sync.WaitGroup
	for i := range 12 {
		sending.Go(func() { r.send("/flu", fmt.Sprintf("flu_%d.csv", i), fmt.Sprintf("A\n%d\n", i)) })
	}
	sending.Wait()
	if s := r.Arrivals()[0].Status; s != Queued {
		t.Errorf("status %d while paused", s)
	}
	r.Resume()
	var last time.Time
	for i, a := range r.settled(12) {
		if a.ID != int64(i+1) || !a.StartedAt.After(last) {
			t.Errorf("delivery %d started %v, after %v", a.ID, a.StartedAt, last)
		}
		last = a.DecidedAt
	}
}

func TestStepsTakeTheirTimeAndShow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Examiner: byWord{}, Step: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		token, _ := s.ledger.issue("demo", upload.Flu)
		body := zipOf(t, "flu_1.csv", "A\n1\n")
		req, _ := http.NewRequest(http.MethodPost, "/flu"+pathUpload+"?token="+token, bytes.NewReader(body))
		if a := s.answer(newCall(req, StepUpload, upload.Flu)); a.code != http.StatusOK {
			t.Fatalf("answer %d", a.code)
		}
		for _, want := range []Status{Unpacking, Checking, Saving, Done} {
			synctest.Wait()
			if got := s.Arrivals()[0].Status; got != want {
				t.Errorf("status %d, want %d", got, want)
			}
			<-time.After(time.Second)
		}
	})
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	var clock sync.Mutex
	now := time.Now()
	ahead := func(d time.Duration) { clock.Lock(); now = now.Add(d); clock.Unlock() }
	r := start(t, Options{TokenTTL: time.Minute, ResultTTL: time.Hour, Now: func() time.Time { clock.Lock(); defer clock.Unlock(); return now }})
	unused, used := r.token("/flu"), r.send("/flu", "flu_1.csv", "A\n1\n")
	r.settled(1)
	ahead(2 * time.Minute)
	if rep := r.result("/flu", used); !rep.Succ {
		t.Errorf("a used token was forgotten early: %s", rep.ErrorCode)
	}
	if rep := r.decode(r.post("/flu", unused, zipOf(t, "flu_2.csv", "A\n2\n"), "")); rep.ErrorCode != "TOKEN_EXPIRED" {
		t.Errorf("an old token was taken: %+v", rep)
	}
	ahead(2 * time.Hour)
	if rep := r.result("/flu", used); rep.ErrorCode != "TOKEN_EXPIRED" {
		t.Errorf("a result was told after its time: %+v", rep)
	}
}

func TestManyClientsAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	var sending sync.WaitGroup
	for i := range 40 {
		base := []string{"/flu", "/hqms"}[i%2]
		sending.Go(func() { r.send(base, "hqms_x.csv", fmt.Sprintf("A\n%d\n", i/4)) })
	}
	sending.Wait()
	accepted := 0
	for _, a := range r.settled(40) {
		if a.Verdict == upload.Accepted {
			accepted++
		}
	}
	if accepted != 20 { // ten contents on each of two channels, each twice
		t.Errorf("%d accepted, want 20", accepted)
	}
}
