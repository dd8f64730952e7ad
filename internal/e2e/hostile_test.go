package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// stranger calls an API with whatever headers it likes, from whatever address.
type stranger struct {
	t    *testing.T
	base string
	http *http.Client
}

// newStranger is a client at an address of this machine's own network.
func newStranger(t *testing.T, r *rig, from string) *stranger {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DialContext: d.DialContext, ExpectContinueTimeout: process.Patience}
	t.Cleanup(transport.CloseIdleConnections)
	c := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &stranger{t, r.base, c}
}

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

func (s *stranger) sends(method, path string, body io.Reader, header map[string]string) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, body)
	check(s.t, err)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := s.http.Do(req)
	check(s.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(s.t, err)
	return reply{resp.StatusCode, resp.Header, string(b)}
}

const sessionHeader = "X-Hqms-Session"

// logsIn gives the cookie of a session.
func (s *stranger) logsIn(token string) string {
	s.t.Helper()
	a := s.sends("POST", "/session", strings.NewReader(`{"token":"`+token+`"}`), map[string]string{sessionHeader: "1", "Content-Type": "application/json"})
	cookie, attributes, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if a.status != http.StatusOK || !strings.Contains(attributes, "HttpOnly") || !strings.Contains(attributes, "SameSite=Strict") {
		s.t.Fatalf("log in: %d %q", a.status, a.header.Get("Set-Cookie"))
	}
	return cookie
}

// call is one operation of the document, ready to be tried.
type call struct{ id, method, path string }

// calls are the document's operations that fit, with their parameters filled in.
func calls(t *testing.T, fits func(method string, security []map[string][]string) bool) []call {
	t.Helper()
	spec, err := api.Spec()
	check(t, err)
	fill := strings.NewReplacer("{id}", "019ab1c2-0000-7000-8000-000000000000", "{name}", "flu", "{file}", "all.js")
	var all []call
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			var rules []map[string][]string
			for _, rule := range *op.Security {
				rules = append(rules, rule)
			}
			if fits(method, rules) {
				all = append(all, call{op.OperationID, method, fill.Replace(path)})
			}
		}
	}
	return all
}

// operatorsOnly are the calls that an operator alone may make.
func operatorsOnly(t *testing.T) []call {
	t.Helper()
	all := calls(t, func(_ string, rules []map[string][]string) bool {
		return len(rules) > 0 && !slices.ContainsFunc(rules, func(r map[string][]string) bool { _, is := r["operator"]; return !is })
	})
	if len(all) < 9 {
		t.Fatalf("only %d calls of the operator in the document", len(all))
	}
	return all
}

// sealed makes a session as the program does, for who has the token.
func sealed(role, token string, until time.Time) string {
	key := sha256.Sum256([]byte("hqms-sidecar session key\x00" + token))
	mac := hmac.New(sha256.New, key[:])
	text := role + "." + strconv.FormatInt(until.Unix(), 10)
	_, _ = mac.Write([]byte(text))
	return "hqms_session=" + text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestForgedExpiredAndTamperedSessionsReadAndDoNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, newServer(t))
	r.start()
	s := newStranger(t, r, "127.0.0.1")
	op, vi, soon := s.logsIn(operatorToken), s.logsIn(viewerToken), time.Now().Add(time.Hour)
	tries := func(cookie, method, path string) int {
		return s.sends(method, path, nil, map[string]string{"Cookie": cookie, sessionHeader: "1"}).status
	}
	for _, good := range []string{op, sealed("operator", operatorToken, soon)} { // else what is refused below would prove nothing
		if got := tries(good, "GET", "/uploads"); got != http.StatusOK {
			t.Fatalf("a good session reads: %d", got)
		}
	}
	middle := len(op) - 10
	for name, forged := range map[string]string{
		"expired":                  sealed("operator", operatorToken, time.Now().Add(-time.Second)),
		"sealed with another key":  sealed("operator", "guess", soon),
		"sealed without a key":     sealed("operator", "", soon),
		"a viewer's made operator": strings.Replace(vi, "viewer", "operator", 1),
		"viewer's key, operator":   sealed("operator", viewerToken, soon),
		"no such role":             sealed("admin", operatorToken, soon),
		"the token itself":         "hqms_session=" + operatorToken,
		"made to last longer":      "hqms_session=operator.9999999999." + op[strings.LastIndex(op, ".")+1:],
		"another bit":              op[:middle] + string(op[middle]^1) + op[middle+1:],
		"shorter":                  op[:len(op)-1],
		"longer":                   op + "A",
		"nothing":                  "hqms_session=",
		"dots":                     "hqms_session=..",
		"a hundred cookies":        strings.Repeat("hqms_session=operator.9999999999.AAAA; ", 100),
	} {
		if read, acted := tries(forged, "GET", "/uploads"), tries(forged, "POST", "/channels/flu/pause"); read != http.StatusUnauthorized || acted != http.StatusUnauthorized {
			t.Errorf("%s: reading %d, acting %d", name, read, acted)
		}
	}
	if c := r.channel("flu"); c.State == "paused" {
		t.Error("the channel was paused by a forged session")
	}
}

func TestAViewersSessionDoesNothingOfTheOperators(t *testing.T) {
	t.Parallel()
	r := newRig(t, newServer(t))
	r.start()
	s := newStranger(t, r, "127.0.0.1")
	vi := s.logsIn(viewerToken)
	for _, c := range operatorsOnly(t) {
		a := s.sends(c.method, c.path, strings.NewReader("{}"), map[string]string{"Cookie": vi, sessionHeader: "1", "Content-Type": "application/json"})
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "operator-token-needed") {
			t.Errorf("%s: %d %s", c.id, a.status, a.body)
		}
	}
}

func TestAnotherSitesPageActsWithNobodysSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, newServer(t))
	r.start()
	s := newStranger(t, r, "127.0.0.1")
	op := s.logsIn(operatorToken)
	own := "http://" + strings.TrimPrefix(r.base, "http://")
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	foreign := map[string]map[string]string{
		"a form":                        form,
		"a form of another site":        {"Content-Type": "text/plain", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
		"a form from nowhere":           {"Content-Type": "multipart/form-data; boundary=x", "Origin": "null"},
		"a script of another site":      {sessionHeader: "1", "Origin": "https://evil.example"},
		"cross-site, no origin":         {sessionHeader: "1", "Sec-Fetch-Site": "cross-site"},
		"a neighbour":                   {sessionHeader: "1", "Sec-Fetch-Site": "same-site"},
		"same host, other port":         {sessionHeader: "1", "Origin": "http://127.0.0.1:1"},
		"the header missing":            {"Origin": own, "Sec-Fetch-Site": "same-origin"},
		"origin says own, browser not":  {sessionHeader: "1", "Origin": own, "Sec-Fetch-Site": "cross-site"},
		"an address that begins as own": {sessionHeader: "1", "Origin": own + ".evil.example"},
	}
	for name, h := range foreign {
		h["Cookie"] = op
		for _, c := range operatorsOnly(t) {
			if a := s.sends(c.method, c.path, strings.NewReader("{}"), h); a.status != http.StatusForbidden || !strings.Contains(a.body, "cross-site") {
				t.Errorf("%s, %s: %d %s", name, c.id, a.status, a.body)
			}
		}
		if a := s.sends("POST", "/session", strings.NewReader(`{"token":"`+operatorToken+`"}`), h); a.status != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s logs the reader in: %d", name, a.status)
		}
		if a := s.sends("DELETE", "/session", nil, h); a.status != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s logs the reader out: %d", name, a.status)
		}
	}
	if c := r.channel("flu"); c.State == "paused" {
		t.Error("the channel was paused by another site's page")
	}
	asked := s.sends("OPTIONS", "/channels/flu/pause", nil, map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": sessionHeader})
	for name := range asked.header {
		if strings.HasPrefix(name, "Access-Control-Allow") {
			t.Errorf("another origin is given leave: %s", name)
		}
	}
	if a := s.sends("POST", "/channels/flu/pause", nil, map[string]string{"Cookie": op, sessionHeader: "1", "Origin": own, "Sec-Fetch-Site": "same-origin"}); a.status != http.StatusOK {
		t.Errorf("the own page cannot act: %d %s", a.status, a.body)
	}
}

func TestWhoGuessesTokensIsShutOutAndTheGuessesAreNotLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t, newServer(t))
	r.start()
	const guess = "zqxjguess"
	guesser, other := newStranger(t, r, "127.0.0.2"), newStranger(t, r, "127.0.0.3")
	var last reply
	refused := 0
	for i := range 40 { // by both doors, all counted together
		if i%2 == 0 {
			last = guesser.sends("GET", "/uploads", nil, map[string]string{"Authorization": "Bearer " + guess + strconv.Itoa(i)})
		} else {
			last = guesser.sends("POST", "/session", strings.NewReader(`{"token":"`+guess+strconv.Itoa(i)+`"}`), map[string]string{sessionHeader: "1", "Content-Type": "application/json"})
		}
		if last.status == http.StatusUnauthorized {
			refused++
		} else if last.status != http.StatusTooManyRequests {
			t.Errorf("guess %d: %d", i, last.status)
		}
	}
	wait, err := strconv.Atoi(last.header.Get("Retry-After"))
	if last.status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 60 {
		t.Errorf("after 40 guesses: %d, Retry-After %q", last.status, last.header.Get("Retry-After"))
	}
	if refused < 10 || refused > 15 {
		t.Errorf("%d guesses were looked at, want 10 and what grew back meanwhile", refused)
	}
	bearer := map[string]string{"Authorization": "Bearer " + operatorToken}
	if a := guesser.sends("GET", "/uploads", nil, bearer); a.status != http.StatusTooManyRequests {
		t.Errorf("a lucky guess gets in: %d", a.status)
	}
	if a := other.sends("GET", "/uploads", nil, bearer); a.status != http.StatusOK {
		t.Errorf("another address is shut out too: %d", a.status)
	}
	logged := r.proc.Out.String() + other.sends("GET", "/logs?limit=200", nil, bearer).body
	if n := strings.Count(r.proc.Out.String(), "wrong api token"); n != refused || !strings.Contains(logged, "127.0.0.2") {
		t.Errorf("%d lines about wrong tokens, want %d with the address", n, refused)
	}
	if strings.Contains(logged, guess) {
		t.Error("a wrong token is in the log")
	}
}

// endless gives so many bytes and keeps none.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return n, nil
}

func TestBodiesOfTenMegabytesAreRefusedAndNotKept(t *testing.T) {
	t.Parallel()
	const size = 10 << 20
	r := newRig(t, newServer(t))
	r.start()
	s := newStranger(t, r, "127.0.0.1")
	bearer := map[string]string{"Authorization": "Bearer " + operatorToken, "Content-Type": "application/json", sessionHeader: "1"}
	all := calls(t, func(method string, _ []map[string][]string) bool { return method == http.MethodPost })
	before, sent := memory(t, r.proc, "VmHWM"), 0
	for _, c := range all {
		if c.id == "validateFile" {
			continue // it is for files; see below
		}
		for _, length := range []int64{size, -size} { // said, and in chunks
			for range 3 {
				a := s.posts(c, length, bearer)
				if sent++; a.status != http.StatusRequestEntityTooLarge || !strings.Contains(a.body, "payload-too-large") && a.body != "" {
					t.Errorf("%s, length %d: %d %s", c.id, length, a.status, a.body)
				}
			}
		}
	}
	grown := memory(t, r.proc, "VmHWM") - before
	t.Logf("%d bodies of 10 MiB to %d calls: the peak of memory grew by %d KiB", sent, len(all)-1, grown)
	if sent < 50 || grown > 16<<10 {
		t.Errorf("%d bodies of 10 MiB made the memory grow by %d KiB", sent, grown)
	}
	file := map[string]string{"Authorization": "Bearer " + operatorToken, "Content-Type": "text/csv"}
	validate := call{"validateFile", "POST", "/validate?filename=flu_1.csv"}
	if a := s.posts(validate, size, file); a.status != http.StatusOK {
		t.Errorf("a file of 10 MiB to be checked: %d %s", a.status, a.body)
	}
	if a := s.posts(validate, 512<<20+1, file); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a file of more than 512 MiB to be checked: %d %s", a.status, a.body)
	}
	if r.call("GET", "/readyz", nil, nil) != http.StatusOK {
		t.Error("it is not ready any more")
	}
}

// posts sends a body of that length, and says how long it is unless that is below
// zero. A server that refuses while the body is being sent may cut the
// connection before the client has read why: then there is only the status, or
// nothing to be had but another try.
func (s *stranger) posts(c call, length int64, header map[string]string) reply {
	s.t.Helper()
	for range 20 {
		req, err := http.NewRequestWithContext(s.t.Context(), c.method, s.base+c.path, &endless{int(max(length, -length))})
		check(s.t, err)
		req.ContentLength = max(length, -1)
		for k, v := range header {
			req.Header.Set(k, v)
		}
		if length > 100<<20 {
			req.Header.Set("Expect", "100-continue") // as careful clients do: nothing is sent when it is refused at once
		}
		resp, err := s.http.Do(req)
		if err != nil {
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return reply{resp.StatusCode, resp.Header, string(b)}
	}
	s.t.Errorf("%s: no answer in twenty tries", c.id)
	return reply{}
}

func TestMarkupFromOutsideArrivesAsText(t *testing.T) {
	t.Parallel()
	const (
		name    = `flu_<img src=x onerror=alert(1)>"'&.csv`
		message = `<script>alert(2)</script>`
	)
	srv := newServer(t)
	r := newRig(t, srv, "HQMS_WATCH_DIR=")
	r.start()
	srv.fault(sandbox.Fault{Step: sandbox.StepUpload, Kind: sandbox.FaultRefuse, Channel: upload.Flu, Message: message, Count: 1})
	drop(t, r.flu, name, good(t))
	u := r.until(name, "is told of", row.over)
	srv.fault(sandbox.Fault{Step: sandbox.StepToken, Kind: sandbox.FaultRefuse, Channel: upload.Flu, Message: message})
	drop(t, r.flu, "flu_2.csv", good(t))
	r.channelIs("flu", "refused")
	s := newStranger(t, r, "127.0.0.1")
	bearer := map[string]string{"Authorization": "Bearer " + operatorToken, "Accept": "*/*"}
	read := calls(t, func(method string, _ []map[string][]string) bool { return method == http.MethodGet })
	seen, named := 0, 0
	for _, c := range read {
		path := strings.ReplaceAll(c.path, "019ab1c2-0000-7000-8000-000000000000", u.ID)
		switch c.id {
		case "streamEvents":
			continue // JSON in lines; TestEventsComeAsTheyHappen
		case "getStatement":
			path += "?month=" + u.SpottedAt.In(time.FixedZone("", 8*3600)).Format("2006-01") + "&lang=zh"
		case "getReconciliation":
			path += "?group=file"
		}
		a := s.sends("GET", path, nil, bearer)
		seen++
		a.mustBeInert(t, c.id)
		if strings.Contains(a.body, "onerror=alert") || strings.Contains(a.body, "alert(2)") {
			named++
		}
	}
	for _, path := range []string{"/uploads/" + u.ID + "/findings?format=csv", "/reconciliation?group=file&format=csv", "/uploads/" + url.PathEscape(name), "/" + url.PathEscape(name), "/uploads?state=" + url.QueryEscape(message)} {
		s.sends("GET", path, nil, bearer).mustBeInert(t, path)
	}
	t.Logf("%d answers read, of which %d show what came from outside", seen, named)
	if named < 5 {
		t.Errorf("only %d answers show what came from outside: nothing was tried", named)
	}
}

// mustBeInert fails unless a browser would take the answer for text.
func (a reply) mustBeInert(t *testing.T, what string) {
	t.Helper()
	kind := a.header.Get("Content-Type")
	policy := a.header.Get("Content-Security-Policy")
	if a.header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(policy, "default-src '") || strings.ContainsAny(policy, "*:") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s (%d %s) may be sniffed or has no policy: %v", what, a.status, kind, a.header)
	}
	active := strings.Contains(kind, "html") || strings.Contains(kind, "xml") || strings.Contains(kind, "javascript")
	if active && (strings.Contains(a.body, "<img src=x") || strings.Contains(a.body, "<script>alert")) {
		t.Errorf("%s (%s) holds markup from outside", what, kind)
	}
	if a.status == http.StatusOK && kind == "" && a.body != "" {
		t.Errorf("%s does not say what it is: %s", what, fmt.Sprintf("%.80q", a.body))
	}
}
