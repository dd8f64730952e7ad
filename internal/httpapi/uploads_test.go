package httpapi

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestAnUploadIsShownWhole(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.sending["full"] = Sending{Sent: 10, Total: 40, BytesPerSecond: 5}
	got := call(t, w.server(t, nil), request{path: "/uploads/full"}).json(t)
	delete(got, "events")
	const want = `{
		"id": "full", "batch_id": "batch", "channel": "flu", "kind": "flu", "filename": "flu_20261122.csv", "size": 100, "digest": "sha-256:aa",
		"packed_size": 40, "packed_digest": "sha-256:bb", "rows": 0, "charset": "gb18030", "standard": "flu-2.6",
		"state": "decided", "verdict": "rejected", "reason": "rejected_by_server",
		"reason_text": {"zh": "服务器未入库任何记录", "en": "the server stored no record"},
		"remedy": {"zh": "请查看回执和校验结果，更正后以同名重新导出", "en": "see receipt and findings; correct the file and export it again under the same name"},
		"detail": "two rows", "attempt": 2, "polls": 3, "forced": false, "replaces_id": "older", "place": "watch", "path": "flu_20261122.csv",
		"next_attempt_at": "2026-11-22T08:00:00Z", "spotted_at": "2026-11-22T08:00:00Z", "updated_at": "2026-11-22T08:00:00Z",
		"sent_at": "2026-11-22T08:00:00Z", "finished_at": null,
		"receipt": {"server_id": "123", "status": "4", "code": "E1", "server_message": "科室代码错误", "loaded_at": "2026-11-22", "at": "2026-11-22T08:00:00Z",
			"grades": {"grade0": 1, "grade1": 2, "grade2": 3, "grade3": 4, "stocked": 5, "total": 6, "grade": 7}},
		"findings": {"fatal": 0, "error": 1, "warning": 2},
		"progress": {"sent_bytes": 10, "total_bytes": 40, "bytes_per_second": 5}, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"
	}`
	if d := cmp.Diff(parse(t, want), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func parse(t *testing.T, s string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatIsNotKnownYetIsNull(t *testing.T) {
	t.Parallel()
	w := newWorld()
	got := call(t, w.server(t, nil), request{path: "/uploads/u0"}).json(t)
	for _, member := range []string{"digest", "packed_size", "rows", "charset", "verdict", "reason", "receipt", "finished_at", "progress", "trace_id", "sent_at"} {
		if v, there := got[member]; !there || v != nil {
			t.Errorf("%s: there %v, %v", member, there, v)
		}
	}
	if events, ok := got["events"].([]any); !ok || len(events) != 0 {
		t.Errorf("no events are an empty list, not %v", got["events"])
	}
}

func TestOnlyOpenUploadsHaveANextAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	for _, u := range w.uploads {
		got := call(t, s, request{path: "/uploads/" + string(u.ID)}).json(t)
		if (got["next_attempt_at"] != nil) != u.State.Open() || (got["finished_at"] != nil) != u.State.Final() {
			t.Errorf("%s: next attempt %v, finished %v", u.State, got["next_attempt_at"], got["finished_at"])
		}
	}
}

func TestAnUploadComesWithItsEvents(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.happen(1, upload.Event{UploadID: "u3", Name: "other", To: upload.StatePacked, At: start})
	events, _ := call(t, w.server(t, nil), request{path: "/uploads/full"}).json(t)["events"].([]any)
	if len(events) != 2 {
		t.Fatalf("got %v", events)
	}
	want := map[string]any{
		"seq": 2.0, "upload_id": "full", "channel": "flu", "at": "2026-11-22T08:00:00Z", "name": "decided", "from": "sent", "to": "decided", "verdict": "rejected",
		"reason": "rejected_by_server", "reason_text": map[string]any{"zh": "服务器未入库任何记录", "en": "the server stored no record"}, "detail": "x", "attempt": 1.0,
	}
	if d := cmp.Diff(want, events[1]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if first, _ := events[0].(map[string]any); first["from"] != nil || first["verdict"] != nil {
		t.Errorf("the first event comes from nowhere: %v", first)
	}
}

func TestAListIsPagedByCursorWithoutLossOrRepetition(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	for _, limit := range []string{"1", "5", "12", "500"} {
		var seen []string
		for cursor := ""; ; {
			q := url.Values{"limit": {limit}}
			if cursor != "" {
				q.Set("cursor", cursor)
			}
			page := call(t, s, request{path: "/uploads?" + q.Encode()}).json(t)
			items, _ := page["items"].([]any)
			for _, i := range items {
				u, _ := i.(map[string]any)
				seen = append(seen, u["id"].(string))
			}
			if cursor, _ = page["next"].(string); cursor == "" {
				break
			}
		}
		want := each(w.uploads, func(u upload.Upload) string { return string(u.ID) })
		if d := cmp.Diff(want, seen); d != "" {
			t.Errorf("limit %s (-want +got):\n%s", limit, d)
		}
	}
}

func TestFiltersReachTheJournal(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	call(t, s, request{path: "/uploads?channel=flu&kind=lis&state=sent&state=failed&verdict=accepted&filename=%E6%B5%81&spotted_after=2026-11-22T16:00:00%2B08:00&spotted_before=2026-11-23T00:00:00Z"})
	want := journal.Filter{
		Channels: []upload.Channel{"flu"}, Kinds: []upload.Kind{"lis"}, States: []upload.State{"sent", "failed"}, Verdicts: []upload.Verdict{"accepted"},
		Filename: "流", SpottedFrom: start, SpottedTo: start.Add(16 * time.Hour),
	}
	if d := cmp.Diff(want, w.filter); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	call(t, s, request{path: "/uploads"})
	if len(w.filter.States)+len(w.filter.Verdicts)+len(w.filter.Channels)+len(w.filter.Kinds) > 0 {
		t.Errorf("no filter became %+v", w.filter)
	}
}

func TestActsReachTheirUploadAndShowItAsItIsNow(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	for _, act := range []string{"retry", "cancel", "restore"} {
		got := call(t, s, request{method: "POST", path: "/uploads/u3/" + act})
		if got.status != 200 || got.json(t)["id"] != "u3" {
			t.Errorf("%s: %d %s", act, got.status, got.body)
		}
	}
	if d := cmp.Diff([]string{"retry u3", "cancel u3", "restore u3"}, w.calls); d != "" {
		t.Error(d)
	}
}

func TestTriggerTellsWhyAFileIsNotTaken(t *testing.T) {
	t.Parallel()
	got := call(t, newWorld().server(t, nil), request{method: "POST", path: "/uploads/trigger", body: `{"dry_run":true}`}).json(t)
	items, _ := got["items"].([]any)
	if got["dry_run"] != true || len(items) != 2 {
		t.Fatalf("got %v", got)
	}
	left, _ := items[1].(map[string]any)
	words, _ := left["reason_text"].(map[string]any)
	if left["taken"] != false || left["reason"] != "name_unknown" || words["zh"] == "" || left["kind"] != nil || left["size"] != nil || left["remedy"] == nil {
		t.Errorf("got %v", left)
	}
}

func TestOperatorsCallsAreLogged(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, nil)
	call(t, s, request{method: "POST", path: "/uploads/u3/cancel"})
	call(t, s, request{path: "/uploads/u3"})
	var line map[string]any
	if err := json.Unmarshal([]byte(w.log.String()), &line); err != nil {
		t.Fatalf("one line for the one change: %v\n%s", err, w.log)
	}
	if line["operation"] != "cancelUpload" || line["path"] != "/uploads/u3/cancel" || line["succeeded"] != true {
		t.Errorf("got %v", line)
	}
}
