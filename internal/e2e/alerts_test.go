package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	serverMark = "zqxjserver" // in the server's words
	secretMark = "zqxjsecret" // what messages are signed with
	robotMark  = "zqxjrobot"  // in the robot's address
)

// robots are addresses as the vendors give them.
var robots = map[string]string{
	"json": "/own?t=" + robotMark, "dingtalk": "/robot/send?access_token=" + robotMark, "wecom": "/cgi-bin/webhook/send?key=" + robotMark,
	"feishu": "/open-apis/bot/v2/hook/" + robotMark, "alertmanager": "/" + robotMark,
}

// told is a message as the receiver got it.
type told struct{ uri, header, body string }

// newReceiver takes messages of every vendor.
func newReceiver(t *testing.T) (url string, got chan told) {
	t.Helper()
	got = make(chan told, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- told{r.RequestURI, fmt.Sprint(r.Header), string(b)}
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","code":0,"msg":"success"}`)
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

// texts are all strings of a JSON value, one a line.
func texts(t *testing.T, body string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("no JSON: %v in %s", err, body)
	}
	var b strings.Builder
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			b.WriteString(v + "\n")
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			for k, one := range v {
				b.WriteString(k + "\n")
				walk(one)
			}
		}
	}
	walk(v)
	return b.String()
}

func TestNoMessageOfAnyVendorHoldsPatientsDataSecretsOrMarkup(t *testing.T) {
	t.Parallel()
	for format, address := range robots {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, "-account", accountMark, "-password", passwordMark)
			receiver, got := newReceiver(t)
			r := newRig(t, srv, "ALERT_WEBHOOK_URL="+receiver+address, "ALERT_FORMAT="+format, "ALERT_GROUP_WAIT=1s",
				"API_TOKEN="+operatorMark, "API_VIEW_TOKEN="+viewerMark, "FLU_ACCOUNT="+accountMark, "FLU_PASSWORD="+passwordMark, "HQMS_WATCH_DIR=")
			if format != "wecom" && format != "alertmanager" {
				r.env["ALERT_SECRET"] = secretMark
			}
			r.token = operatorMark
			r.start()
			cells := taintedFiles(t)["flu/flu_tainted.csv"]
			names := []string{"flu_<at id=all>.csv", "flu_[点我](http:evil).csv", "flu_@all.csv", "flu_`x`*y*#z.csv", "flu_$(id){{x}}.csv"}
			for i, name := range names {
				drop(t, r.flu, name, append([]byte(string(cells)), fmt.Sprintf("%d\n", i)...))
			}
			for _, name := range names {
				r.endsWith(name, "invalid")
			}
			srv.fault(sandbox.Fault{Step: sandbox.StepToken, Kind: sandbox.FaultRefuse, Channel: upload.Flu, Message: serverMark})
			drop(t, r.flu, "flu_refused.csv", good(t))
			r.channelIs("flu", "refused")
			mustBeClean(t, format, got)
			check(t, r.proc.Terminate())
			if strings.Contains(r.proc.Out.String(), robotMark) || strings.Contains(r.proc.Out.String(), secretMark) {
				t.Error("the log holds the robot's token or secret")
			}
		})
	}
}

// mustBeClean reads messages until the receiver was told of both events, and
// looks for what must not be in them.
func mustBeClean(t *testing.T, format string, got chan told) {
	t.Helper()
	invalid, refused := false, false
	for !invalid || !refused {
		var m told
		select {
		case m = <-got:
		case <-time.After(process.Patience):
			t.Fatalf("told of invalid files: %t, of refused credentials: %t", invalid, refused)
		}
		said := texts(t, m.body)
		invalid = invalid || strings.Contains(said, "at id=all") || strings.Contains(said, "at id＝all")
		refused = refused || strings.Contains(said, "拒绝")
		for _, mark := range []string{cellMark, passwordMark, accountMark, operatorMark, viewerMark, serverMark, secretMark} {
			if strings.Contains(said+m.uri+m.header, mark) {
				t.Errorf("%s is in %s", mark, m)
			}
		}
		if strings.Contains(said, robotMark) {
			t.Errorf("the address is in the message: %s", m.body)
		}
		for _, markup := range []string{"<at id", "[点我](", "@all", "`x`", "$(id)", "{{x}}"} {
			if format != "json" && strings.Contains(said, markup) { // json is data: whoever shows it has to escape it
				t.Errorf("%s is markup in %s", markup, said)
			}
		}
	}
}

func TestCheckTriesTheReceiverOfAlerts(t *testing.T) {
	t.Parallel()
	receiver, got := newReceiver(t)
	r := newRig(t, newServer(t), "ALERT_FORMAT=dingtalk", "ALERT_WEBHOOK_URL="+receiver+robots["dingtalk"])
	if code, out := r.run([]string{"check"}); code != 0 || !strings.Contains(out, "[ok  ] alerts") || strings.Contains(out, robotMark) {
		t.Errorf("a receiver that listens: exit code %d\n%s", code, out)
	}
	if len(got) > 0 {
		t.Error("the check sent a message")
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	r.env["ALERT_WEBHOOK_URL"] = gone.URL + robots["dingtalk"]
	code, out := r.run([]string{"check"})
	for _, want := range []string{"[fail] alerts", "连接不上告警接收地址", "the receiver of alerts is out of reach", "检查地址", "check address"} {
		if code == 0 || !strings.Contains(out, want) || strings.Contains(out, robotMark) {
			t.Errorf("a receiver that is away: exit code %d, %q is not said, or the token is\n%s", code, want, out)
		}
	}
	delete(r.env, "ALERT_WEBHOOK_URL")
	delete(r.env, "ALERT_FORMAT")
	if code, out := r.run([]string{"check"}); code != 0 || strings.Contains(out, "] alerts") {
		t.Errorf("without a receiver there is nothing to try: exit code %d\n%s", code, out)
	}
}
