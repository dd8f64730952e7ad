package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
)

// accessTable says who may call what, independent of the document.
func accessTable() map[string]access {
	return map[string]access{
		"getRoot": public, "getLivez": public, "getAsset": public, "getDocs": public, "getSession": public, "createSession": public, "endSession": public, "getReadyz": public, "getHealthz": public,
		"getMetrics": scraped,
		"getStatus":  viewed, "listUploads": viewed, "getUpload": viewed, "listFindings": viewed, "listChannels": viewed, "streamEvents": viewed, "listAlerts": viewed, "getOpenAPI": viewed, "validateFile": viewed,
		"listLogs": viewed, "getConfiguration": viewed, "listExpectations": viewed, "getReconciliation": viewed, "getStatement": viewed, "getStatistics": viewed,
		"triggerUploads": operated, "retryUpload": operated, "cancelUpload": operated, "restoreUpload": operated,
		"testAlerts": operated, "acknowledgeAlert": operated, "testChannel": operated, "pauseChannel": operated, "resumeChannel": operated,
	}
}

// verdicts of the gate, by what is configured and what is sent.
func gateTable(a access, configured, sent string) int {
	const pass, no, never = http.StatusOK, http.StatusUnauthorized, http.StatusForbidden
	table := map[access]map[string]map[string]int{
		public: {},
		scraped: {
			"viewer": {"none": no, "wrong": no, "operator": no},
			"both":   {"none": no, "wrong": no},
		},
		viewed: {
			"operator": {"none": no, "wrong": no, "viewer": no},
			"viewer":   {"none": no, "wrong": no, "operator": no},
			"both":     {"none": no, "wrong": no},
		},
		operated: {
			"nothing":  {"none": never, "wrong": never, "operator": never, "viewer": never},
			"operator": {"none": no, "wrong": no, "viewer": no},
			"viewer":   {"none": never, "wrong": never, "operator": never, "viewer": never},
			"both":     {"none": no, "wrong": no, "viewer": never},
		},
	}
	if status, ok := table[a][configured][sent]; ok {
		return status
	}
	return pass
}

func TestAccessMatrixOfEveryOperation(t *testing.T) {
	t.Parallel()
	configurations := map[string][2]string{"nothing": {"", ""}, "operator": {opToken, ""}, "viewer": {"", viToken}, "both": {opToken, viToken}}
	tokens := map[string]string{"none": "-", "wrong": "wrong-token", "operator": opToken, "viewer": viToken}
	for configured, pair := range configurations {
		w := newWorld()
		w.opToken, w.viToken = pair[0], pair[1]
		now := start
		s := w.server(t, func(o *Options) {
			o.Middleware = append(o.Middleware, cancelled)
			o.Now = func() time.Time { now = now.Add(time.Hour); return now } // nobody is shut out for wrong tokens
		})
		for _, op := range samples(t) {
			a, known := accessTable()[op.id]
			if !known {
				t.Errorf("%s has no row in the access table: say who may call it", op.id)
				continue
			}
			if op.id == "createSession" {
				continue // open to anybody who has a token in the body: TestATokenBecomesASession…
			}
			for sent, token := range tokens {
				got := call(t, s, sampleOf(op, token))
				want := gateTable(a, configured, sent)
				passed := got.status < 400 || got.status >= 500
				if want == http.StatusOK != passed || !passed && got.status != want {
					t.Errorf("%s, configured %s, sent %s: %d, want %d", op.id, configured, sent, got.status, want)
				}
				if got.status == http.StatusUnauthorized && got.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s: 401 without WWW-Authenticate", op.id)
				}
			}
		}
	}
}

// sampleOf makes a call of an operation that would succeed.
func sampleOf(op sample, token string) request {
	r := request{method: op.method, path: op.path, token: token}
	if op.streamed {
		r.body, r.header = "a\n", map[string]string{"Content-Type": "text/csv"}
	}
	return r
}

// cancelled ends the request's context so that event streams end at once.
func cancelled(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == "/events" {
			c.SetRequest(c.Request().WithContext(ended()))
		}
		return next(c)
	}
}

func TestWithoutAPITokenChangingCallsSayWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.opToken = ""
	a := call(t, w.server(t, nil), request{method: "POST", path: "/uploads/full/retry", token: viToken})
	p := a.json(t)
	remedy, _ := p["remedy"].(map[string]any)
	if en, _ := remedy["en"].(string); a.status != 403 || !strings.Contains(en, "API_TOKEN") {
		t.Errorf("got %d %v", a.status, p)
	}
	if len(w.calls) > 0 {
		t.Errorf("it was called all the same: %v", w.calls)
	}
}

func TestTokensAreReadAnewForEachCall(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	before := call(t, s, request{path: "/status"}).status
	w.opToken = "rotated"
	after, fresh := call(t, s, request{path: "/status"}).status, call(t, s, request{path: "/status", token: "rotated"}).status
	if before != 200 || after != 401 || fresh != 200 {
		t.Errorf("before %d, old token after %d, new token %d", before, after, fresh)
	}
}

func TestAccessIsRefusedBeforeTheRequestIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := call(t, w.server(t, nil), request{method: "POST", path: "/uploads/trigger", token: "-", body: `{"nonsense`})
	if a.status != http.StatusUnauthorized {
		t.Errorf("got %d: a stranger learns about the API's insides", a.status)
	}
}

func TestTooManyWrongTokensShutTheAddressOutForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.server(t, nil)
		for i := range allowedAttempts {
			if a := call(t, s, request{path: "/status", token: "wrong"}); a.status != 401 {
				t.Fatalf("attempt %d: %d", i, a.status)
			}
		}
		shut := call(t, s, request{path: "/status"})
		if shut.status != 429 || shut.header.Get("Retry-After") == "" {
			t.Fatalf("after %d wrong tokens even the right one must wait: %d", allowedAttempts, shut.status)
		}
		if a := call(t, s, request{path: "/livez", token: "wrong"}); a.status != 200 {
			t.Errorf("probes do not suffer: %d", a.status)
		}
		time.Sleep(attemptRegrows) //nolint:forbidigo // virtual time
		if a := call(t, s, request{path: "/status"}); a.status != 200 {
			t.Errorf("after a while: %d", a.status)
		}
		if log := w.log.String(); strings.Count(log, "wrong api token") != allowedAttempts || strings.Contains(log, `"wrong"`) {
			t.Errorf("each wrong token is logged, without the token:\n%s", log)
		}
	})
}

func TestAttemptsAreBoundedAndCountIPv6ByNetwork(t *testing.T) {
	t.Parallel()
	now := start
	a := newAttempts(func() time.Time { return now })
	for range allowedAttempts {
		a.failed("2001:db8::1")
	}
	if a.blocked("2001:db8::ffff") == 0 || a.blocked("2001:db8:0:1::1") != 0 {
		t.Error("neighbours in the /64 share one allowance, others do not")
	}
	for i := range 3 * rememberedHosts {
		a.failed(strings.Repeat("x", i%7) + time.Duration(i).String())
	}
	if len(a.full) > rememberedHosts {
		t.Errorf("%d addresses are remembered", len(a.full))
	}
}

func TestOnlyTheConnectionSaysWhoTheClientIs(t *testing.T) {
	t.Parallel()
	w := newWorld()
	call(t, w.server(t, nil), request{path: "/status", token: "wrong", header: map[string]string{"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9"}})
	if log := w.log.String(); strings.Contains(log, "203.0.113.9") || !strings.Contains(log, "192.0.2.1") {
		t.Errorf("log:\n%s", log)
	}
}
