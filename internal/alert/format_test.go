package alert

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

var update = flag.Bool("update", false, "write the golden files anew")

// evil is a file name that tries every receiver's markup.
const evil = "lis_[点我](http://evil)<font color=\"info\">*_`~#@all<at id=all></at>|&\\\u202e\n\"x\".csv"

func golden() []Message {
	two := journal.Alert{
		ID: "019ab1c2-5b1e-7c3d-9e4f-0123456789ab", Key: "rejected/flu/lis", Event: string(Rejected), Severity: string(Warning), Channel: "flu", Kind: "lis",
		Params: map[string]string{"reason": "rejected_by_server"}, Count: 2, OpenedAt: opened, UpdatedAt: opened,
		Files: []journal.AlertFile{{Name: "lis_20261127.csv", UploadID: "019ab1c1-0000-7000-8000-000000000001"}, {Name: evil, UploadID: "019ab1c1-0000-7000-8000-000000000002"}},
	}
	over := journal.Alert{
		ID: "019ab1c2-5b1e-7c3d-9e4f-0123456789ac", Key: "server_offline/flu", Event: string(Offline), Severity: string(Critical), Channel: "flu",
		Params: map[string]string{"reason": "server_unreachable", "since": "2026-11-27T08:00:00Z"}, Count: 1, OpenedAt: opened, UpdatedAt: opened,
		Files: []journal.AlertFile{}, ResolvedAt: opened.Add(time.Hour), Deliveries: 1,
	}
	var all []Message
	for _, a := range []journal.Alert{two, over} {
		for _, lang := range phrase.Langs() {
			all = append(all, Message{Notice: notice(a), Alert: a, Lang: lang, Link: "https://hqms.example.org/#/alerts", At: opened})
		}
	}
	return all
}

func TestPayloadsAreAsTheVendorsWantThem(t *testing.T) {
	// Not parallel: people's clock is set for the golden files.
	local := time.Local
	time.Local = time.FixedZone("CST", 8*3600)
	t.Cleanup(func() { time.Local = local })
	for _, f := range Formats() {
		for _, m := range golden() {
			name := filepath.Join("testdata", strings.Join([]string{string(f), string(m.Notice), string(m.Lang)}, "_")+".json")
			p, err := f.post(m, "https://robot.example.org/send?access_token=T", "SECret", opened)
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, p.body, "", "  "); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			if *update {
				if err := os.WriteFile(name, pretty.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// The shapes and limits are those of the vendors' documentation.
func TestPayloadsKeepTheVendorsLimits(t *testing.T) {
	t.Parallel()
	m := golden()[0]
	m.Alert.Files = nil
	for range maxFiles {
		m.Alert.Files = append(m.Alert.Files, journal.AlertFile{Name: strings.Repeat("长", 85), UploadID: "u"})
	}
	m.Alert.Subject = strings.Repeat("长", 9000)
	for f, limit := range map[Format]int{DingTalk: 20_000, Feishu: 20_480} {
		p, err := f.post(m, "https://r.example.org/", "s", opened)
		if err != nil || len(p.body) > limit || !utf8.Valid(p.body) {
			t.Errorf("%s: %d bytes, %v", f, len(p.body), err)
		}
	}
	if c := wecomBody(m).Markdown.Content; len(c) > 4096 || !strings.Contains(c, "](https://hqms.example.org/") {
		t.Errorf("wecom: %d bytes: %s", len(c), c)
	}
}

func TestNamesAreHarmless(t *testing.T) {
	t.Parallel()
	clean := harmless(evil)
	if strings.ContainsAny(clean, "<>[]()*`~#@|&\\\n\u202e\"") || strings.Contains(clean, "://") {
		t.Errorf("markup is left: %q", clean)
	}
	if got := harmless("flu_2026-11-27.csv"); got != "flu_2026-11-27.csv" {
		t.Errorf("a plain name became %q", got)
	}
	for _, f := range []Format{DingTalk, WeCom, Feishu, Alertmanager} {
		p, err := f.post(golden()[0], "https://r.example.org/", "", opened)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"[点我]", `]\(http://evil`, "<at id", "@all", `\u003cat`, "\u202e"} {
			if strings.Contains(string(p.body), part) {
				t.Errorf("%s: %q is in %s", f, part, p.body)
			}
		}
	}
}

func TestSignaturesAreTheVendors(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_123)
	u, err := url.Parse(dingtalkURL("https://oapi.dingtalk.com/robot/send?access_token=T", "this is secret", at))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	// openssl dgst -sha256 -hmac 'this is secret' -binary | base64, of "1700000000123\nthis is secret"
	if q.Get("access_token") != "T" || q.Get("timestamp") != "1700000000123" || q.Get("sign") != dingtalkSign {
		t.Errorf("dingtalk: %v", q)
	}
	// the same with the key "1700000000\nthis is secret", of nothing
	if c := feishuBody(golden()[0], "this is secret", at); c.Timestamp != "1700000000" || c.Sign != feishuSign {
		t.Errorf("feishu: %s %s", c.Timestamp, c.Sign)
	}
	if c := feishuBody(golden()[0], "", at); c.Timestamp != "" || c.Sign != "" {
		t.Error("feishu: signed without a secret")
	}
}

// Made with other programs than ours.
const (
	dingtalkSign = "W2RNhLVXZurCuMiewxzjoEaGqxhR/FQAkLiAHZh+PWY="
	feishuSign   = "OfGzRzoUICBOoc8wVra1e4A1hPfbZ9zqXozA8CWVUuY="
)
