package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// logIn gives the cookie of a session begun with a token.
func logIn(t *testing.T, s *Server, token string) string {
	t.Helper()
	a := call(t, s, request{method: "POST", path: "/session", token: "-", body: `{"token":"` + token + `"}`, header: map[string]string{sessionHeader: "1"}})
	set := a.header.Get("Set-Cookie")
	if a.status != http.StatusOK || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") {
		t.Fatalf("got %d %q %s", a.status, set, a.body)
	}
	cookie, _, _ := strings.Cut(set, ";")
	return cookie
}

func TestATokenBecomesASessionOfItsRole(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for token, want := range map[string]int{opToken: 200, viToken: 403} {
		cookie := logIn(t, s, token)
		if strings.Contains(cookie, token) {
			t.Errorf("the cookie holds the token: %s", cookie)
		}
		h := map[string]string{"Cookie": cookie, sessionHeader: "1"}
		if a := call(t, s, request{path: "/status", token: "-", header: h}); a.status != 200 {
			t.Errorf("reading: %d", a.status)
		}
		if a := call(t, s, request{method: "POST", path: "/channels/flu/pause", token: "-", header: h}); a.status != want {
			t.Errorf("acting: %d, want %d", a.status, want)
		}
	}
}

func TestForgedChangedExpiredAndOldSessionsAreNobodys(t *testing.T) {
	t.Parallel()
	w, now := newWorld(), start
	s := w.server(t, func(o *Options) { o.Now = func() time.Time { return now } })
	op, vi := logIn(t, s, opToken), logIn(t, s, viToken)
	status := func(cookie string) int {
		return call(t, s, request{path: "/status", token: "-", header: map[string]string{"Cookie": cookie}}).status
	}
	for _, forged := range []string{
		strings.Replace(vi, "viewer", "operator", 1), op + "x", op[:len(op)-1], "hqms_session=operator.99999999999.", "hqms_session=none.99999999999.x", "hqms_session=..", "hqms_session=",
		strings.Replace(op, ".1", ".2", 1), "hqms_session=operator.9999999999999999999999." + strings.Repeat("A", 43),
	} {
		if got := status(forged); got != 401 {
			t.Errorf("%s: %d", forged, got)
		}
	}
	now = now.Add(sessionTime - time.Second)
	if got := status(op); got != 200 {
		t.Errorf("before its end: %d", got)
	}
	now = now.Add(time.Second)
	if got := status(op); got != 401 {
		t.Errorf("after its end: %d", got)
	}
	op = logIn(t, s, opToken)
	w.opToken = "rotated"
	if got := status(op); got != 401 {
		t.Errorf("after the token was changed: %d", got)
	}
	w.opToken = ""
	if got := status(op); got != 401 {
		t.Errorf("after the token was taken away: %d", got)
	}
}

func TestAnotherSitesPageCannotActWithASession(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	cookie := logIn(t, s, opToken)
	for name, h := range map[string]map[string]string{
		"no header":    {},
		"other site":   {sessionHeader: "1", "Sec-Fetch-Site": "cross-site"},
		"neighbour":    {sessionHeader: "1", "Sec-Fetch-Site": "same-site"},
		"other origin": {sessionHeader: "1", "Origin": "https://evil.example"},
	} {
		h["Cookie"] = cookie
		if a := call(t, s, request{method: "POST", path: "/channels/flu/pause", token: "-", header: h}); a.status != 403 {
			t.Errorf("%s: %d", name, a.status)
		}
		if a := call(t, s, request{method: "POST", path: "/session", token: "-", body: `{"token":"` + opToken + `"}`, header: h}); a.status != 403 {
			t.Errorf("log in, %s: %d", name, a.status)
		}
	}
	if len(w.calls) > 0 {
		t.Errorf("called: %v", w.calls)
	}
}

func TestWrongTokensOfTheLogInCountAndAreNotLogged(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, func(o *Options) { o.Now = func() time.Time { return start } })
	try := func(token string) int {
		return call(t, s, request{method: "POST", path: "/session", token: "-", body: `{"token":"` + token + `"}`, header: map[string]string{sessionHeader: "1"}}).status
	}
	for range allowedAttempts {
		if got := try("guess-of-mine"); got != 401 {
			t.Fatalf("got %d", got)
		}
	}
	if got := try(opToken); got != 429 {
		t.Errorf("after too many: %d", got)
	}
	if strings.Contains(w.log.String(), "guess-of-mine") || !strings.Contains(w.log.String(), "wrong api token") {
		t.Errorf("log: %s", w.log)
	}
	big := request{method: "POST", path: "/session", token: "-", body: strings.Repeat("x", 10<<20), header: map[string]string{sessionHeader: "1"}}
	if a := call(t, s, big); a.status != 413 {
		t.Errorf("10 MB: %d", a.status)
	}
}

func TestLoggingOutForgetsTheSession(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	a := call(t, s, request{method: "DELETE", path: "/session", token: "-", header: map[string]string{"Cookie": logIn(t, s, opToken), sessionHeader: "1"}})
	if set := a.header.Get("Set-Cookie"); a.status != 200 || !strings.Contains(set, "Max-Age=0") {
		t.Errorf("got %d %q", a.status, set)
	}
}

func TestBrowsersGetTheDashboardUnderAStrictPolicy(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for path, accept := range map[string]string{"/": "text/html,*/*", "/ui/all.js": "*/*", "/ui/words.zh.json": "*/*"} {
		a := call(t, s, request{path: path, token: "-", header: map[string]string{"Accept": accept}})
		policy := a.header.Get("Content-Security-Policy")
		if a.status != 200 || !strings.Contains(policy, "default-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") ||
			a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	if a := call(t, s, request{path: "/", token: "-"}); a.status != http.StatusSeeOther {
		t.Errorf("others are sent on: %d", a.status)
	}
	if a := call(t, s, request{path: "/ui/..%2fdoc.go", token: "-"}); a.status != 404 {
		t.Errorf("outside: %d", a.status)
	}
}
