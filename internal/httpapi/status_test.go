package httpapi

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestStatusShowsProgramAndChannels(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.channel.ServerURL = "https://user:pass@flu.example/base/?token=secret#x"
	w.ready = []Obstacle{{Reason: upload.WatchDirMissing, Channel: "flu", Detail: "/data/flu"}}
	s := w.server(t, func(o *Options) {
		o.Now = func() time.Time { return start.Add(time.Minute) }
		o.Calendar = nil
		o.Pace = func(now time.Time) Pace {
			return Pace{ChangesAt: now.Add(5*time.Hour + 59*time.Minute), Window: "22:00-06:00", Limit: "2Mbit", BitsPerSecond: 2e6}
		}
	})
	const want = `{
		"version": "1.2.3", "started_at": "2026-11-22T08:00:00Z", "now": "2026-11-22T08:01:00Z", "ready": false,
		"reasons": [{"reason": "watch_dir_missing", "channel": "flu", "detail": "/data/flu",
			"text": {"zh": "监测目录不存在", "en": "the watched directory does not exist"},
			"remedy": {"zh": "请检查卷挂载和 WATCH_DIR；目录出现后自动继续", "en": "check the volume mount and WATCH_DIR; work begins by itself when it appears"}}],
		"pace": {"open": false, "changes_at": "2026-11-22T14:00:00Z", "upload_window": "22:00-06:00", "bandwidth_limit": "2Mbit", "bits_per_second": 2000000}, "open_alerts": 1, "expectations": null,
		"channels": [{"name": "flu", "state": "refused", "reason": "credentials_refused",
			"reason_text": {"zh": "服务器拒绝了账号或密码", "en": "the server refused account or password"},
			"remedy": {"zh": "请更正账号和密码，然后执行连接测试", "en": "correct account and password and then run the connection test"},
			"detail": "d", "server_message": "密码错误", "paused_by": null, "since": "2026-11-22T08:00:00Z", "next_probe_at": "2026-11-22T08:00:00Z",
			"server_url": "https://flu.example/base/", "protocol": "hqms", "watch_dir": "/data/flu", "settle_mode": "auto", "writer_probe": "works",
			"watching": "events", "left_alone": 3, "link_bits_per_second": null,
			"directory": {"file_system": "ext4", "network": false, "self_test": "ok", "probe_doubt": "not_owner", "overflows": 1, "ours": 2,
				"ignored": 1, "not_ours": 3, "last_scan_at": "2026-11-22T08:00:00Z", "scan_seconds": 0.25, "looked_at": 5,
				"unfit": [{"name": "flu_x.csv", "reason": "not_a_regular_file", "reason_text": {
					"zh": "不是普通文件（目录、管道、链接等）", "en": "not a regular file (a directory a pipe or a link)"}}]},
			"backlog": {"files": 2, "bytes": 10, "oldest_seconds": 90, "states": {"packed": 2}},
			"last_accepted_at": "2026-11-22T09:00:00Z", "last_accepted": {"flu": "2026-11-22T08:00:00Z", "lis": "2026-11-22T09:00:00Z"}}]
	}`
	if d := cmp.Diff(parse(t, want), call(t, s, request{path: "/status"}).json(t)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestChannelsAreAListAndCanBeActedOn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	list := call(t, s, request{path: "/channels"}).json(t)
	if items, _ := list["items"].([]any); len(items) != 1 || list["next"] != nil {
		t.Errorf("got %v", list)
	}
	for _, act := range []string{"pause", "resume"} {
		if got := call(t, s, request{method: "POST", path: "/channels/flu/" + act}); got.status != 200 || got.json(t)["name"] != "flu" {
			t.Errorf("%s: %d %s", act, got.status, got.body)
		}
	}
	test := call(t, s, request{method: "POST", path: "/channels/flu/test"})
	if v := test.json(t); test.status != 200 || v["ok"] != false || v["reason"] != "credentials_refused" || v["remedy"] == nil {
		t.Errorf("a failed test is an answer: %d %s", test.status, test.body)
	}
}

func TestProbesSayLiveAndReadyApart(t *testing.T) {
	t.Parallel()
	stuck, full := []Obstacle{{Reason: upload.InternalFault, Detail: "pipeline"}}, []Obstacle{{Reason: upload.DiskFull}}
	for name, tc := range map[string]struct {
		live, ready            []Obstacle
		livez, readyz, healthz int
	}{
		"all is well":    {nil, nil, 200, 200, 200},
		"cannot take":    {nil, full, 200, 503, 200},
		"stuck":          {stuck, nil, 503, 503, 503},
		"stuck and full": {stuck, full, 503, 503, 503},
	} {
		w := newWorld()
		w.live, w.ready = tc.live, tc.ready
		s := w.server(t, nil)
		for path, want := range map[string]int{"/livez": tc.livez, "/readyz": tc.readyz, "/healthz": tc.healthz} {
			a := call(t, s, request{path: path, token: "-"})
			v := a.json(t)
			reasons, _ := v["reasons"].([]any)
			if a.status != want || v["live"] != (tc.live == nil) || v["ready"] != (tc.live == nil && tc.ready == nil) || len(reasons) != len(tc.live)+len(tc.ready) {
				t.Errorf("%s, %s: %d %s", name, path, a.status, a.body)
			}
		}
	}
}

func TestRootLeadsToTheStatus(t *testing.T) {
	t.Parallel()
	a := call(t, newWorld().server(t, nil), request{path: "/", token: "-"})
	if a.status != 303 || a.header.Get("Location") != "/status" {
		t.Errorf("got %d %q", a.status, a.header.Get("Location"))
	}
}

func TestDocumentAndMetricsAreServed(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	if a := call(t, s, request{path: "/openapi.yaml"}); a.status != 200 || a.header.Get("Content-Type") != "application/yaml" || len(a.body) < 1000 {
		t.Errorf("document: %d %s", a.status, a.header)
	}
	if a := call(t, s, request{path: "/metrics"}); a.status != 200 || string(a.body) != "hqms_up 1\n" {
		t.Errorf("metrics: %d %s", a.status, a.body)
	}
	none := newWorld().server(t, func(o *Options) { o.Metrics = nil })
	if a := call(t, none, request{path: "/openapi.yaml"}); a.status != 200 {
		t.Errorf("without metrics: %d", a.status)
	}
}

func TestAServerNeedsItsInterfaces(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{}); err == nil {
		t.Error("it was made of nothing")
	}
}
