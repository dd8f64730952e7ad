package httpapi

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sheet"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var _ Reports = (*journal.Journal)(nil)

// Accounts gives every upload that was spotted in time; channel and kind as asked.
func (r *record) Accounts(_ context.Context, f journal.Filter, each func(a journal.Account) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.filter = f
	for i, a := range r.accounts {
		a.Seq = int64(i + 1)
		if err := each(a); err != nil {
			return err
		}
	}
	return r.fail
}

func (r *record) CountDays(_ context.Context, ch upload.Channel, days []journal.Span) ([]journal.DayCount, error) {
	r.asked = fmt.Sprintf("%s %d %s %s", ch, len(days), days[0].Begins.Format(time.RFC3339), days[len(days)-1].Ends.Format(time.RFC3339))
	return []journal.DayCount{
		{Day: 0, Channel: "flu", Kind: "flu", Verdict: "", Files: 1, Ended: 1, Rows: 0, SourceBytes: 100},
		{Day: 0, Channel: "flu", Kind: "flu", Verdict: upload.Accepted, Files: 2, Rows: 20, SourceBytes: 800, PackedBytes: 100, PackedFrom: 800},
		{Day: 0, Channel: "flu", Kind: "lis", Verdict: upload.Invalid, Files: 1, Rows: 7, SourceBytes: 9},
		{Day: 2, Channel: "flu", Kind: "lis", Verdict: upload.Invalid, Files: 1, Rows: 7, SourceBytes: 9},
	}, r.fail
}

func (r *record) TimeStages(context.Context, upload.Channel, journal.Span) ([]journal.StageTime, error) {
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration(i+1)*time.Second)
	}
	return []journal.StageTime{{Stage: "confirm", Took: took}, {Stage: "settle", Took: took[:1]}}, r.fail
}

func (r *record) CountRules(context.Context, upload.Channel, journal.Span) ([]journal.RuleTally, error) {
	return []journal.RuleTally{{Rule: "COL-REQUIRED", Severity: upload.Error, Count: 7, Files: 2}, {Rule: "LIS-FLU-LINK", Severity: upload.Warning, Count: 1, Files: 1}}, r.fail
}

// Expectations gives one of each state, and remembers what was asked.
func (w *world) Expectations(_ context.Context, ch upload.Channel, kind upload.Kind, from, to time.Time) ([]calendar.Expectation, error) {
	w.asked = fmt.Sprintf("%s %s %s %s", ch, kind, from.Format(time.RFC3339), to.Format(time.RFC3339))
	e := calendar.Expectation{Channel: upload.Flu, Kind: "hda", Day: "2026-11-22", Begins: start.Add(-24 * time.Hour), Due: start}
	due, late, arrived, none := e, e, e, e
	due.State, late.State, late.UnderWay, none.State, none.Note = calendar.Due, calendar.Late, 1, calendar.NotExpected, "国庆节"
	arrived.State, arrived.Came, arrived.Arrivals, arrived.Upload = calendar.Arrived, start.Add(time.Second), 2, "full"
	return []calendar.Expectation{due, late, arrived, none}, w.fail
}

// Standings has a kind that is late, one that arrived and is due again, and one
// that was never due before and has arrived early.
func (w *world) Standings() (latest, ahead []calendar.Expectation) {
	all, _ := w.Expectations(context.Background(), "", "", start, start)
	due, late, arrived := all[0], all[1], all[2]
	due.Due = start.Add(24 * time.Hour)
	nextDue, early := due, arrived
	arrived.Kind, nextDue.Kind, early.Kind = "lis", "lis", "pdr"
	nextDue.Due, early.Due = start.Add(time.Hour), start.Add(time.Minute)
	return []calendar.Expectation{late, arrived}, []calendar.Expectation{due, nextDue, early}
}

func TestStatusSumsUpTheExpectedFiles(t *testing.T) {
	t.Parallel()
	w := newWorld()
	got := call(t, w.server(t, nil), request{path: "/status"}).json(t)["expectations"].(map[string]any)
	var kinds []string
	for _, k := range got["kinds"].([]any) {
		k := k.(map[string]any)
		stands := func(when string) string {
			if e, ok := k[when].(map[string]any); ok {
				return fmt.Sprint(e["state"])
			}
			return "-"
		}
		kinds = append(kinds, fmt.Sprint(k["channel"], " ", k["kind"], " ", stands("latest"), " ", stands("ahead")))
	}
	if d := cmp.Diff([]string{"flu hda late due", "flu lis arrived due", "flu pdr - arrived"}, kinds); d != "" {
		t.Error(d)
	}
	delete(got, "kinds")
	if d := cmp.Diff(parse(t, `{"late": 1, "arrived": 1, "due": 2, "next_due_at": "2026-11-22T09:00:00Z"}`), got); d != "" {
		t.Error(d)
	}
	without := call(t, w.server(t, func(o *Options) { o.Calendar = nil }), request{path: "/status"}).json(t)
	if e, ok := without["expectations"]; e != nil || !ok {
		t.Errorf("where nothing is expected: %v", e)
	}
}

// today stops the clock.
func today(o *Options) { o.Now = func() time.Time { return start } }

func accounted() []journal.Account {
	a := journal.Account{
		ID: "a1", Channel: "flu", Kind: "flu", Filename: `=cmd|'/c calc'!A1.csv`, Digest: "sha-256:aa", Rows: 10, SourceSize: 100, PackedSize: 10,
		State: upload.StateRetired, Verdict: upload.Accepted, Holds: true, SpottedAt: start, SentAt: start, UpdatedAt: start,
		Receipt: &upload.Receipt{ServerID: "<script>alert(1)</script>", At: start.Add(time.Minute), Grades: &upload.Grades{Stocked: 10, Total: 10}},
	}
	b, c, d := a, a, a
	b.ID, b.Filename, b.Verdict = "a2", "flu_2.csv", upload.PartiallyAccepted
	b.Receipt = &upload.Receipt{ServerID: "+7", At: start, Grades: &upload.Grades{Stocked: 4, Total: 10}}
	c.ID, c.Filename, c.Verdict, c.Receipt, c.Holds, c.SentAt = "a3", "flu_3.csv", upload.Invalid, nil, false, time.Time{}
	d.ID, d.Filename, d.Verdict, d.Receipt, d.Holds, d.SentAt, d.Successor = "a4", "<b>\"'&.csv", upload.Rejected, nil, false, time.Time{}, "a9"
	return []journal.Account{a, b, c, d}
}

func TestExpectationsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.server(t, today)
	got := call(t, s, request{path: "/expectations?channel=flu&kind=hda&from=2026-11-01&to=2026-11-30", token: viToken}).json(t)
	if w.asked != "flu hda 2026-11-01T00:00:00+08:00 2026-12-01T00:00:00+08:00" {
		t.Errorf("asked for %s", w.asked)
	}
	items, _ := got["items"].([]any)
	if len(items) != 4 || got["time_zone"] != "+08:00" {
		t.Fatalf("got %v", got)
	}
	late, _ := items[1].(map[string]any)
	want := map[string]any{
		"channel": "flu", "kind": "hda", "date": "2026-11-22", "window_from": "2026-11-21T08:00:00Z", "due_at": "2026-11-22T08:00:00Z", "state": "late",
		"state_text": map[string]any{"zh": "逾期未到", "en": "late"}, "on_time": nil, "arrived_at": nil, "files": 0.0, "under_way": 1.0, "upload_id": nil, "note": nil,
	}
	if d := cmp.Diff(want, late); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if arrived, _ := items[2].(map[string]any); arrived["on_time"] != false || arrived["upload_id"] != "full" {
		t.Errorf("got %v", arrived)
	}
	call(t, s, request{path: "/expectations"})
	if w.asked != "  2026-10-23T00:00:00+08:00 2026-11-30T00:00:00+08:00" {
		t.Errorf("by itself it asks for %s", w.asked)
	}
	without := call(t, w.server(t, func(o *Options) { today(o); o.Calendar = nil }), request{path: "/expectations"})
	if without.status != http.StatusOK || len(without.json(t)["items"].([]any)) != 0 {
		t.Errorf("nothing expected: %d %s", without.status, without.body)
	}
}

func TestReportsRefuseDaysThatCannotBe(t *testing.T) {
	t.Parallel()
	s := newWorld().server(t, nil)
	for _, path := range []string{"/expectations", "/reconciliation", "/statistics"} {
		for query, place := range map[string]string{
			"from=2026-11-30&to=2026-11-01": "to", "from=2024-01-01&to=2026-01-01": "to", "from=yesterday": "from",
			"from=0001-01-01&to=0001-01-02": "from", "form=2026-11-01": "form", "channel=../x": "channel", "from=2026-11-01%27--": "from",
		} {
			a := call(t, s, request{path: path + "?" + query})
			if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), `"name":"`+place+`"`) {
				t.Errorf("%s?%s: %d %s", path, query, a.status, a.body)
			}
		}
	}
	for _, path := range []string{
		"/reconciliation?group=year", "/statistics?to=2026-02-30", "/reconciliation?format=pdf", "/reconciliation?cursor=x", "/reconciliation/statement?month=2026-13",
		"/reconciliation/statement?month=0000-01", "/reconciliation/statement?lang=fr", "/reconciliation/statement?month=2026-11-01", "/expectations?kind=a'b",
	} {
		if a := call(t, s, request{path: path}); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestReconciliationAddsUp(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.accounts = accounted()
	s := w.server(t, today)
	got := call(t, s, request{path: "/reconciliation?from=2026-11-01&to=2026-11-30"}).json(t)
	total, _ := got["total"].(map[string]any)
	want := parse(t, `{"files": 3, "not_counted": 1, "rows": {"exported": 30, "checked": 30, "sent": 20, "stored": 14}, "source_bytes": 300, "packed_bytes": 30,
		"balanced": false, "gaps": [
			{"reason": "invalid", "text": {"zh": "校验未通过，未发送", "en": "held back by the checks, not sent"}, "files": 1, "rows": 10},
			{"reason": "partially_accepted", "text": {"zh": "部分记录未入库", "en": "records the server did not store"}, "files": 1, "rows": 6}]}`)
	if d := cmp.Diff(want, total); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if items, _ := got["items"].([]any); len(items) != 1 || got["next"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestReconciliationByFileIsPaged(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.accounts = accounted()
	s := w.server(t, today)
	if d := cmp.Diff([]string{"a1", "a2", "a3", "a4"}, pagedFiles(t, s, 3)); d != "" {
		t.Error(d)
	}
}

// Files of one rescan were spotted in the same moment, and their ids, made within
// one millisecond, are in no order.
func TestPagesOfFilesOfOneRescanHoldEachOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.accounts = accounted()
	var want []string
	for i, id := range []upload.ID{"a3", "a1", "a4", "a2"} {
		w.accounts[i].ID, w.accounts[i].SpottedAt = id, start
		want = append(want, string(id))
	}
	s := w.server(t, today)
	for limit := 1; limit < 5; limit++ {
		if d := cmp.Diff(want, pagedFiles(t, s, limit)); d != "" {
			t.Errorf("pages of %d: %s", limit, d)
		}
	}
	if a := call(t, s, request{path: "/reconciliation?group=file&cursor=0193b1c2-7d00-7abc-8def-0123456789ab"}); a.status != http.StatusBadRequest {
		t.Errorf("a cursor that holds no moment: %d %s", a.status, a.body)
	}
}

// pagedFiles goes through all pages, and lists the uploads that they hold.
func pagedFiles(t *testing.T, s *Server, limit int) (seen []string) {
	t.Helper()
	base := fmt.Sprintf("/reconciliation?group=file&limit=%d", limit)
	for path := base; len(seen) < 100; {
		page := call(t, s, request{path: path}).json(t)
		for _, i := range page["items"].([]any) {
			f, _ := i.(map[string]any)["file"].(map[string]any)
			seen = append(seen, f["upload_id"].(string))
		}
		next, more := page["next"].(string)
		if !more {
			break
		}
		path = base + "&cursor=" + next
	}
	return seen
}

func TestReconciliationAsCSVIsNoFormula(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.accounts = accounted()
	s := w.server(t, today)
	for _, r := range []request{
		{path: "/reconciliation?group=file&format=csv"},
		{path: "/reconciliation?group=file", header: map[string]string{"Accept": "text/csv"}},
	} {
		a := call(t, s, r)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(a.body), "\ufeff"))).ReadAll()
		if err != nil || len(rows) != 5 || !strings.HasPrefix(string(a.body), "\ufeff") {
			t.Fatalf("%v %q", err, a.body)
		}
		for _, row := range rows {
			for _, cell := range row {
				if sheet.Cell(cell) != cell {
					t.Errorf("%q is a formula", cell)
				}
			}
		}
		if rows[1][4] != `'=cmd|'/c calc'!A1.csv` || rows[2][20] != "'+7" || rows[2][16] != "records the server did not store: 6" {
			t.Errorf("got %q", rows)
		}
	}
}

func TestStatementIsAPageThatRunsAndLoadsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.accounts = accounted()
	a := call(t, w.server(t, today), request{path: "/reconciliation/statement?month=2026-11&lang=zh", token: viToken})
	body := string(a.body)
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "<b>") || strings.Contains(body, "style=") {
		t.Errorf("what others wrote is not escaped:\n%s", body)
	}
	for _, want := range []string{"数据报送月度对账单 2026-11", "&lt;script&gt;alert(1)&lt;/script&gt;", "hda", "导出 30 行，入库 14 行，差 16 行；未完成文件 2 个", "应报未报 1 期"} {
		if !strings.Contains(body, want) {
			t.Errorf("it lacks %s:\n%s", want, body)
		}
	}
	if !w.filter.SpottedFrom.Equal(time.Date(2026, 10, 31, 16, 0, 0, 0, time.UTC)) || !w.filter.SpottedTo.Equal(time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("asked for %v to %v", w.filter.SpottedFrom, w.filter.SpottedTo)
	}
	last := call(t, w.server(t, today), request{path: "/reconciliation/statement"})
	if !strings.Contains(string(last.body), "数据报送月度对账单 2026-10") {
		t.Errorf("without a month it is not the last one's")
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	w := newWorld()
	got := call(t, w.server(t, today), request{path: "/statistics?channel=flu&from=2026-11-01&to=2026-11-03"}).json(t)
	if w.asked != "flu 3 2026-11-01T00:00:00+08:00 2026-11-04T00:00:00+08:00" {
		t.Errorf("asked for %s", w.asked)
	}
	want := parse(t, `{"from": "2026-11-01", "to": "2026-11-03", "time_zone": "+08:00", "days": [
		{"date": "2026-11-01", "channel": "flu", "kind": "flu", "files": 3, "verdicts": {"accepted": 2}, "undecided": 1, "ended": 1, "rows": 20, "source_bytes": 900, "packed_bytes": 100, "compression_ratio": 8},
		{"date": "2026-11-01", "channel": "flu", "kind": "lis", "files": 1, "verdicts": {"invalid": 1}, "undecided": 0, "ended": 0, "rows": 7, "source_bytes": 9, "packed_bytes": 0, "compression_ratio": null},
		{"date": "2026-11-03", "channel": "flu", "kind": "lis", "files": 1, "verdicts": {"invalid": 1}, "undecided": 0, "ended": 0, "rows": 7, "source_bytes": 9, "packed_bytes": 0, "compression_ratio": null}],
		"stages": [{"stage": "settle", "count": 1, "p50_seconds": 1, "p95_seconds": 1}, {"stage": "confirm", "count": 100, "p50_seconds": 50, "p95_seconds": 95}]}`)
	rules, _ := got["findings"].([]any)
	delete(got, "findings")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if strings.ContainsAny(fmt.Sprint(rules), "{}") {
		t.Errorf("parameters are left open: %v", rules)
	}
	if first, _ := rules[0].(map[string]any); len(rules) != 2 || first["rule"] != "COL-REQUIRED" || first["count"] != 7.0 {
		t.Errorf("got %v", rules)
	}
}
