package httpapi

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestTheLogsLatestLinesAreAskedForAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	var asked LogQuery
	w := newWorld()
	s := w.server(t, func(o *Options) {
		o.Logs = func(q LogQuery) ([]LogLine, bool) {
			asked = q
			return []LogLine{
				{Seq: 9, Time: start, Level: slog.LevelError, Message: "<b>", Attributes: map[string]any{"channel": "flu", "n": 1}},
				{Seq: 4, Time: start, Level: slog.LevelDebug - 1},
			}, true
		}
	})
	got := call(t, s, request{method: http.MethodGet, path: "/logs?level=warn&channel=flu&upload_id=u&limit=2&cursor=12", token: opToken})
	if got.status != http.StatusOK || asked != (LogQuery{Level: slog.LevelWarn, Channel: "flu", UploadID: "u", Before: 12, Limit: 2}) {
		t.Fatalf("%d, asked %+v: %s", got.status, asked, got.body)
	}
	for _, part := range []string{`"next":"4"`, `"level":"error"`, `"level":"debug"`, `"attributes":{}`, `"seq":9`} {
		if !strings.Contains(string(got.body), part) {
			t.Errorf("%s lacks %s", got.body, part)
		}
	}
	for _, bad := range []string{"cursor=x", "cursor=-1", "level=loud", "limit=0"} {
		if got := call(t, s, request{method: http.MethodGet, path: "/logs?" + bad, token: opToken}); got.status != http.StatusBadRequest {
			t.Errorf("%s: status %d", bad, got.status)
		}
	}
}

func TestNoSecretIsShownAmongTheSettings(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, func(o *Options) {
		o.Settings = func() []Setting {
			return []Setting{
				{Variable: "FLU_PASSWORD", Value: "let-me-in", Source: "file", Secret: true, Meaning: "config.var._PASSWORD"},
				{Variable: "FLU_ACCOUNT", Source: "default", Secret: true, Meaning: "config.var._ACCOUNT"},
				{Variable: "CONCURRENCY", Value: "2", Source: "default", Meaning: "config.var.CONCURRENCY"},
			}
		}
	})
	got := call(t, s, request{method: http.MethodGet, path: "/configuration", token: viToken})
	body := string(got.body)
	if got.status != http.StatusOK || strings.Contains(body, "let-me-in") {
		t.Fatalf("%d: %s", got.status, body)
	}
	for _, part := range []string{`"set":true`, `"set":false`, `"value":"2"`, `"source":"file"`} {
		if !strings.Contains(body, part) {
			t.Errorf("%s lacks %s", body, part)
		}
	}
	if strings.Count(body, `"zh":"`) != 3 || strings.Contains(body, `"zh":"config.`) || strings.Contains(body, `"zh":""`) {
		t.Errorf("not every setting says what it is for: %s", body)
	}
}

func TestALineOfTheLogIsSaidInBothLanguagesWhereTheCatalogueKnowsIt(t *testing.T) {
	t.Parallel()
	known, other := viewLine(LogLine{Message: "upload moved on"}), viewLine(LogLine{Message: "no such message"})
	if known.Text == nil || known.Text.Zh == known.Text.En || known.Message != "upload moved on" {
		t.Errorf("%+v", known)
	}
	if other.Text != nil {
		t.Errorf("%+v", other)
	}
}
