package alert

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

const token = "zqxjtoken" // of the address: to be found nowhere

func receiverAt(f Format, address string) *Receiver {
	return NewReceiver(f, func() (string, string) { return address, "SECret" }, nil, nil, func() time.Time { return opened })
}

func TestAnswersAreReadAsTheVendorsMeanThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format Format
		status int
		header string // Retry-After
		body   string
		says   string // empty: delivered
		wish   time.Duration
	}{
		{DingTalk, 200, "", `{"errcode":0,"errmsg":"ok"}`, "", 0},
		{DingTalk, 200, "", `{"errcode":310000,"errmsg":"sign not match ` + token + `"}`, "ALERT_SECRET", 0},
		{DingTalk, 200, "", `{"errcode":130101,"errmsg":"send too fast"}`, "too many", 10 * time.Minute},
		{WeCom, 200, "", `{"errcode":0,"errmsg":"ok"}`, "", 0},
		{WeCom, 200, "", `{"errcode":45009,"errmsg":"api freq out of limit"}`, "too many", time.Minute},
		{WeCom, 200, "", `{"errcode":93000,"errmsg":"invalid webhook url"}`, "key is wrong", 0},
		{Feishu, 200, "", `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`, "", 0},
		{Feishu, 200, "", `{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}`, "clock", 0},
		{Feishu, 200, "", `{"code":11232,"msg":"frequency limited"}`, "too many", time.Minute},
		{Feishu, 400, "", `{"code":9499,"msg":"Bad Request"}`, "status 400", 0},
		{Feishu, 200, "", `<html>login</html>`, "not a robot's", 0},
		{DingTalk, 200, "", `{}`, "not a robot's", 0},
		{JSON, 204, "", ``, "", 0},
		{JSON, 302, "", ``, "status 302", 0},
		{JSON, 503, "120", ``, "status 503", 2 * time.Minute},
		{JSON, 503, "999999", ``, "status 503", time.Hour},
		{Alertmanager, 200, "", ``, "", 0},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.header)
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		err := receiverAt(c.format, srv.URL+"/?access_token="+token).Send(t.Context(), golden()[0])
		srv.Close()
		failure, _ := err.(*Failure) //nolint:errorlint // this very type is the contract
		switch {
		case c.says == "" && err != nil, c.says != "" && failure == nil:
			t.Errorf("%s %d %s: %v", c.format, c.status, c.body, err)
		case failure != nil && (!strings.Contains(failure.Text, c.says) || failure.Wish != c.wish || strings.Contains(failure.Text, token)):
			t.Errorf("%s %d %s: %+v", c.format, c.status, c.body, failure)
		}
	}
}

func TestNoFailureHoldsTheAddress(t *testing.T) {
	t.Parallel()
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer hangs.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = nil
	defer untrusted.Close()
	for address, says := range map[string]string{
		"http://127.0.0.1:1/?access_token=" + token:    "no connection",
		"http://nobody.invalid/?access_token=" + token: "no address",
		hangs.URL + "/?access_token=" + token:          "broke",
		untrusted.URL + "/?access_token=" + token:      "not trusted",
		"http://127.0.0.1:1/%zz" + token:               "not an address",
	} {
		r := receiverAt(DingTalk, address)
		err := r.Send(t.Context(), golden()[0])
		if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q: %v", says, err)
		}
		steps := r.Try(t.Context(), golden()[0])
		last := steps[len(steps)-1]
		if last.OK || !strings.Contains(last.Detail, says) {
			t.Errorf("steps, want %q: %+v", says, steps)
		}
	}
}

func TestATestShowsEachStep(t *testing.T) {
	t.Parallel()
	var body string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
		_, _ = io.WriteString(w, `{"errcode":0}`)
	}))
	defer srv.Close()
	r := receiverAt(DingTalk, srv.URL)
	var names []string
	for _, s := range r.Try(t.Context(), testMessage(phrase.Chinese, "", opened)) {
		names = append(names, s.Name)
		if !s.OK {
			t.Errorf("step: %+v", s)
		}
	}
	if got := strings.Join(names, " "); got != "tcp sent answer" {
		t.Errorf("steps: %s", got)
	}
	if !strings.Contains(body, "测试消息") {
		t.Errorf("body: %s", body)
	}
	if err := r.Reach(t.Context()); err != nil {
		t.Error(err)
	}
	srv.Close()
	if err := r.Reach(t.Context()); err == nil {
		t.Error("a closed port is reached")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Send(ctx, golden()[0]); err != context.Canceled { //nolint:errorlint // as it is
		t.Errorf("cancelled: %v", err)
	}
}
