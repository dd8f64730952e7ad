package hqms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/hqms"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/probe"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/transmittest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// send takes one small body through admission and upload.
func send(t *testing.T, c *hqms.Client, ch upload.Channel) transmit.Sending {
	t.Helper()
	d := transmit.Delivery{
		Upload: upload.Upload{Channel: ch, Filename: "hqms_x.csv"},
		Coding: transmit.Coding{Diagnosis: transmit.National, Morphology: transmit.Beijing, Procedure: transmit.Beijing},
	}
	ticket, err := c.Admit(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	x, err := c.Send(t.Context(), d, ticket, transmit.Body{ReadSeeker: strings.NewReader("PK..."), Size: 5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, s *fakeServer) *transmittest.Server {
	t.Helper()
	return transmittest.Serve(t, s, stepOf, false)
}

func TestRequestsAreThoseOfTheKnownClients(t *testing.T) {
	t.Parallel()
	s := newFakeServer()
	o := options(serve(t, s).URL + "/sub/")
	o.Wire.Extra = []hqms.Param{{Name: "orgid", Value: "A&1"}}
	o.Propagate = func(_ context.Context, h http.Header) { h.Set("Traceparent", "00-aa-bb-01") }
	c := newClient(t, o)
	x := send(t, c, upload.HQMS)
	if _, err := c.Result(t.Context(), x.Ticket); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.requests {
		q := strings.ReplaceAll(r.URL.RawQuery, x.Ticket.Token, "TOKEN")
		got = append(got, r.Method+" "+r.URL.Path+"?"+q)
		if r.Header.Get("User-Agent") != "hqms-sidecar/1.2.3" || r.Header.Get("Traceparent") != "00-aa-bb-01" {
			t.Errorf("headers: %v", r.Header)
		}
	}
	want := []string{
		"GET /sub/docking/auto/gettoken.shtml?loginid=13800000000&pwd=" + url.QueryEscape(password) + "&datatype=json&isDev=1",
		"POST /sub/autoReqTran.shtml?token=TOKEN&datatype=json&rc020=1&rc021=2&rc022=2&orgid=A%261",
		"GET /sub/docking/auto/findResult.shtml?token=TOKEN&datatype=json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	up := s.requests[1]
	if up.Header.Get("Content-Type") != "multipart/form-data; boundary=Bounday---------------------------7d318fd100112" ||
		up.ContentLength != 5 || len(up.TransferEncoding) != 0 || up.ProtoMajor != 1 {
		t.Errorf("upload: %v, length %d, %v", up.Header, up.ContentLength, up.TransferEncoding)
	}
}

func TestSettingsForWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ch   upload.Channel
		wire hqms.Wire
		want string
	}{
		"another parameter for procedures": {upload.HQMS, hqms.Wire{ProcedureParam: "rc099"}, "rc020=1&rc021=2&rc099=2"},
		"no parameter for procedures":      {upload.HQMS, hqms.Wire{ProcedureParam: "-"}, "rc020=1&rc021=2"},
		"influenza has no codings":         {upload.Flu, hqms.Wire{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFakeServer()
			o := options(serve(t, s).URL)
			o.Channel, o.Wire = c.ch, c.wire
			send(t, newClient(t, o), c.ch)
			_, got, _ := strings.Cut(s.last().URL.RawQuery, "datatype=json")
			if strings.TrimPrefix(got, "&") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUploadAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   transmittest.Fault
		fate    upload.Fate
		refused string // the receipt's message; empty: not refused
	}{
		"nothing said is fine":             {transmittest.Answer(""), upload.Answered, ""},
		"an empty object is fine":          {transmittest.Answer("{}"), upload.Answered, ""},
		"a byte order mark is fine":        {transmittest.Answer("\xef\xbb\xbf{\"succ\":\"true\"}"), upload.Answered, ""},
		"refused":                          {transmittest.Answer(`{"succ":false,"errMsg":"文件为空","errorCode":7}`), upload.Answered, "文件为空"},
		"refused as text":                  {transmittest.Answer(`{"succ":"false","errMsg":"no"}`), upload.Answered, "no"},
		"cut before its first byte":        {cutAtOnce, upload.Maybe, ""},
		"a page of somebody in between":    {transmittest.Answer("<html>please log in</html>"), upload.Maybe, ""},
		"a page, and it is a 4xx":          {transmittest.Status(404), upload.Broken, ""},
		"the server failed when it had it": {transmittest.Status(500), upload.Maybe, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, newFakeServer())
			server.Break(transmittest.Upload, c.fault)
			x := send(t, newClient(t, options(server.URL)), upload.HQMS)
			if x.Ticket.Fate != c.fate || (x.Refused != nil) != (c.refused != "") {
				t.Fatalf("fate %q, refused %v, cause %v", x.Ticket.Fate, x.Refused, x.Cause)
			}
			if x.Refused != nil && (x.Refused.Message != c.refused || !x.Doubtful) {
				t.Errorf("message %q, doubtful %v", x.Refused.Message, x.Doubtful)
			}
		})
	}
}

func cutAtOnce(_ *transmittest.Server, w http.ResponseWriter, r *http.Request, _ http.Handler) {
	var b bytes.Buffer
	_, _ = b.ReadFrom(r.Body)
	w.Header().Set("Content-Length", "20")
	_ = http.NewResponseController(w).Flush()
}

func TestRedirectWithinTheHostIsFollowedWithoutReferer(t *testing.T) {
	t.Parallel()
	s := newFakeServer()
	var referer string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/moved/") {
			http.Redirect(w, r, "/moved"+r.URL.RequestURI(), http.StatusFound)
			return
		}
		referer += r.Referer()
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	c := newClient(t, options(web.URL))
	if _, err := c.Admit(t.Context(), transmit.Delivery{}); err != nil {
		t.Fatal(err)
	}
	if referer != "" {
		t.Error("the Referer holds the query, and so the password")
	}
}

func TestPostIsNotRedirectedEvenWithinTheHost(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		server := serve(t, newFakeServer())
		server.Break(transmittest.Upload, transmittest.Redirect(code, "/docking/auto/findResult.shtml"))
		x := send(t, newClient(t, options(server.URL)), upload.HQMS)
		if x.Ticket.Fate != upload.Broken || x.Cause.Reason != upload.ServerMisconfigured || server.Count(transmittest.Question) != 0 {
			t.Errorf("%d: %+v, %v", code, x.Ticket.Fate, x.Cause)
		}
	}
}

func TestCredentialsAreReadAnew(t *testing.T) {
	t.Parallel()
	s := newFakeServer()
	now := fixed{account, "old"}
	o := options(serve(t, s).URL)
	o.Credentials = rotating{&now}
	c := newClient(t, o)
	if _, err := c.Admit(t.Context(), transmit.Delivery{}); err == nil {
		t.Fatal("the old password was taken")
	}
	now = fixed{account, password}
	if _, err := c.Admit(t.Context(), transmit.Delivery{}); err != nil {
		t.Errorf("the new password was not used: %v", err)
	}
	now = fixed{}
	_, err := c.Admit(t.Context(), transmit.Delivery{})
	if f := upload.AsFault(err); f.Class != upload.Local || f.Reason != upload.CredentialsMissing {
		t.Errorf("no credentials: %v", err)
	}
}

type rotating struct{ *fixed }

// spans records what a tracer gets to see.
type spans struct{ seen []string }

func (s *spans) Start(ctx context.Context, op, method, host string) (context.Context, func(int, error)) {
	return ctx, func(status int, err error) {
		s.seen = append(s.seen, fmt.Sprintf("%s %s %s %d %v", op, method, host, status, err))
	}
}

func TestTracerSeesOperationsNotURLs(t *testing.T) {
	t.Parallel()
	s := newFakeServer()
	server := serve(t, s)
	o := options(server.URL)
	tracer := &spans{}
	o.Tracer = tracer
	c := newClient(t, o)
	x := send(t, c, upload.HQMS)
	server.Break(transmittest.Question, transmittest.Status(502))
	if _, err := c.Result(t.Context(), x.Ticket); err == nil {
		t.Error("502 is no answer")
	}
	host := strings.TrimPrefix(server.URL, "http://")
	want := []string{
		"gettoken GET " + host + " 200 <nil>", "upload POST " + host + " 200 <nil>", "result GET " + host + " 502 <nil>",
	}
	if diff := cmp.Diff(want, tracer.seen); diff != "" {
		t.Error(diff)
	}
}

func TestSkewIsToldFromTheServersDate(t *testing.T) {
	t.Parallel()
	server := serve(t, newFakeServer())
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	server.Break(transmittest.Admission, transmittest.Status(500, "Date", at.Add(time.Hour).Format(http.TimeFormat)))
	var skew time.Duration
	o := options(server.URL)
	o.Now = func() time.Time { return at }
	o.Skew = func(d time.Duration) { skew = d }
	_, _ = newClient(t, o).Admit(t.Context(), transmit.Delivery{})
	if skew != time.Hour {
		t.Errorf("skew %s, want 1h", skew)
	}
}

func TestProxyIsUsed(t *testing.T) {
	t.Parallel()
	s := newFakeServer()
	proxy := serve(t, s) // a plain proxy sees the absolute URL; the fake looks at its path alone
	o := options("http://nowhere.invalid/")
	o.Network.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	if x := send(t, newClient(t, o), upload.HQMS); x.Ticket.Fate != upload.Answered {
		t.Errorf("%+v", x)
	}
	o.Network.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://user:s3cr3t@127.0.0.1:1") }
	_, err := newClient(t, o).Admit(t.Context(), transmit.Delivery{})
	if err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("a dead proxy: %v", err)
	}
}

func TestServerURLMustBeOne(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "ts.hqms.org.cn", "ftp://h/", "https://", "https://u:s3cr3t@h/", "https://h/?pwd=s3cr3t", "https://h\x7f/s3cr3t"} {
		_, err := hqms.New(options(bad))
		if err == nil {
			t.Errorf("%q was taken", bad)
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
}

func TestTornUploadThatTheServerFailedOnHasNotArrived(t *testing.T) {
	t.Parallel()
	s := newFakeServer()
	c := newClient(t, options(serve(t, s).URL))
	x := send(t, c, upload.HQMS)
	for status, want := range map[int]bool{0: true, 2: true, 4: true, 5: false, 6: true} {
		s.set(x.Ticket.Token, fmt.Sprintf(`{"status":%d,"checkgrade":{"stocked":1,"total":1}}`, status))
		if got, err := c.Arrived(t.Context(), x.Ticket); err != nil || got != want {
			t.Errorf("status %d: arrived %v, %v", status, got, err)
		}
	}
}

func TestConnectionTest(t *testing.T) {
	t.Parallel()
	s := newFakeServer()
	server := serve(t, s)
	c := newClient(t, options(server.URL))
	results := func() (all []probe.Result, last probe.Check) {
		for _, k := range probe.Run(t.Context(), c.Target(nil), nil) {
			all = append(all, k.Result)
			if k.Result == probe.Failed {
				last = k
			}
		}
		return all, last
	}
	if all, k := results(); cmp.Diff([]probe.Result{"passed", "passed", "passed", "passed", "passed"}, all) != "" {
		t.Errorf("all is well, yet %v: %+v", all, k)
	}
	s.refuse()
	if all, k := results(); k.Step != probe.Credentials || k.Reason != upload.CredentialsRefused || strings.Contains(k.Detail, words) {
		t.Errorf("refused: %v %+v", all, k)
	}
	server.Break(transmittest.Upload, transmittest.Status(200, "Date", "Mon, 23 Nov 2020 10:00:00 GMT")) // the front page
	if all, _ := results(); all[3] != probe.Warned {
		t.Errorf("clocks six years apart: %v", all)
	}
	server.Away()
	if all, k := results(); k.Step != probe.TCP || k.Reason != upload.ServerUnreachable || all[4] != probe.Skipped {
		t.Errorf("away: %v %+v", all, k)
	}
}

func TestServerMayTakeLongerToAnswerThanToTakeAPiece(t *testing.T) {
	t.Parallel()
	s := newFakeServer()
	server := serve(t, s)
	server.Break(transmittest.Upload, func(_ *transmittest.Server, w http.ResponseWriter, r *http.Request, works http.Handler) {
		<-time.After(600 * time.Millisecond) // it unpacks
		works.ServeHTTP(w, r)
	})
	o := options(server.URL)
	o.Patience = hqms.Patience{Stall: 200 * time.Millisecond, Answer: 20 * time.Second}
	if x := send(t, newClient(t, o), upload.HQMS); x.Ticket.Fate != upload.Answered {
		t.Errorf("%q, %v", x.Ticket.Fate, x.Cause)
	}
}

func TestEmptyCopyIsNotSent(t *testing.T) {
	t.Parallel()
	c := newClient(t, options("http://127.0.0.1:1"))
	_, err := c.Send(t.Context(), transmit.Delivery{}, upload.Ticket{Token: "t"}, transmit.Body{ReadSeeker: strings.NewReader("")}, nil)
	if f, ok := errors.AsType[*upload.Fault](err); !ok || f.Class != upload.Local {
		t.Errorf("got %v", err)
	}
}
