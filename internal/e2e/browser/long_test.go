package browser

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/journaltest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
)

const (
	mostElements = 1500 // of a page, its list of 50 included
	pagesTurned  = 30
)

// watching notes long tasks, and the time between frames while something is done.
const watching = `(function () {
	window.tasks = []; window.frames_ = [];
	new PerformanceObserver(function (l) { l.getEntries().forEach(function (e) { window.tasks.push(e.duration); }); }).observe({ type: 'longtask', buffered: true });
	var last = performance.now();
	(function frame(now) { window.frames_.push(now - last); last = now; requestAnimationFrame(frame); }(last));
}())`

// TestAListOfAHundredThousandUploadsIsPagedByTheServer: what the browser holds
// does not grow with the journal nor with the pages turned, and each page is one
// question that goes on where the last one ended. Times are told, not judged.
func TestAListOfAHundredThousandUploadsIsPagedByTheServer(t *testing.T) {
	t.Parallel()
	rows := 100_000
	if underRace {
		rows = 10_000
	}
	state := t.TempDir()
	fillJournal(t, state, rows)
	w := newWorld(t, "STATE_DIR="+state)
	b := openTab(t, w, phrase.Chinese, 1280)
	b.logsIn(operatorToken)
	b.sees(b.word("latest"))
	b.goes("/uploads", b.word("nav.uploads"))
	b.eval(watching)
	first, heap := b.elements(), b.heap()
	for range pagesTurned {
		b.turns()
		if n := b.elements(); n > mostElements || n > first+50 {
			t.Fatalf("%d elements; the first page has %d", n, first)
		}
		b.eval(`new Promise(function (done) { window.scrollTo(0, document.body.scrollHeight); requestAnimationFrame(function () { window.scrollTo(0, 0); requestAnimationFrame(done); }); })`)
	}
	if n := value[int](b, `document.querySelectorAll('main tbody tr').length`); n != 50 {
		t.Errorf("%d uploads on a page", n)
	}
	b.finds("flu_77.csv")
	longest := value[float64](b, `Math.max.apply(null, [0].concat(window.tasks))`)
	frames := value[[]float64](b, `(function (f) { f.sort(function (a, b) { return a - b; }); return [f[f.length >> 1], f[Math.floor(f.length * 0.99)], f[f.length - 1]]; }(window.frames_.slice(1)))`)
	t.Logf("%d uploads, %d pages turned: %d elements a page, longest task %.0f ms, frames p50 %.0f, p99 %.0f, worst %.0f ms, script memory %.1f then %.1f MiB",
		rows, pagesTurned, first, longest, frames[0], frames[1], frames[2], heap, b.heap())
}

// turns turns to the next page and fails unless that was one question for 50.
func (b *tab) turns() {
	b.t.Helper()
	top := value[string](b, `document.querySelector('main tbody a').href`)
	b.eval(`performance.clearResourceTimings()`)
	b.clicks("main", "older")
	b.until(fmt.Sprintf(`document.querySelector('main tbody a').href !== %q`, top))
	asked := value[[]string](b, `performance.getEntriesByType('resource').map(function (e) { return e.name; }).filter(function (n) { return n.indexOf('/uploads?') > 0; })`)
	if len(asked) != 1 || value[bool](b, fmt.Sprintf(`!/[?&]cursor=/.test(%q) || !/[?&]limit=50(&|$)/.test(%q)`, asked[0], asked[0])) {
		b.t.Fatalf("a page was asked for thus: %q", asked)
	}
}

// finds finds a file by its name among all.
func (b *tab) finds(name string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`document.querySelector('.filters [name=filename]').value = %q`, name))
	b.clicks(".filters", "search")
	b.until(fmt.Sprintf(`document.querySelectorAll('main tbody tr').length === 1 && document.querySelector('main tbody a').textContent === %q`, name))
}

func (b *tab) elements() int { return value[int](b, `document.querySelectorAll('*').length`) }

// heap is the memory of the page's scripts, in MiB.
func (b *tab) heap() float64 {
	return value[float64](b, `performance.memory ? performance.memory.usedJSHeapSize / 1048576 : 0`)
}

// fillJournal makes a journal of so many accepted uploads of the last days, by
// bringing one through the whole of its life and copying it.
func fillJournal(t *testing.T, state string, rows int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	j, err := sqlite.Open(ctx, state, journal.Options{})
	must(err)
	defer func() { must(j.Close()) }()
	now := time.Now().Add(-28 * 24 * time.Hour)
	u, err := journaltest.Finished(ctx, j, now)
	must(err)
	var columns string // those that all may have the same
	must(j.DB().QueryRowContext(ctx, `SELECT group_concat(name, ', ') FROM pragma_table_info('uploads')
		WHERE name NOT IN ('seq', 'id', 'filename', 'digest', 'content_key', 'spotted_at')`).Scan(&columns))
	_, err = j.DB().ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO uploads (id, filename, digest, content_key, spotted_at, `+columns+`)
		SELECT printf('01900000-0000-7000-8000-%012d', i), printf('flu_%d.csv', i), printf('sha-256:%064d', i), printf('sha-256:%064d', i),
			spotted_at + i * ?, `+columns+` FROM n, uploads WHERE uploads.id = ?`, rows-1, int64(27*24*time.Hour)/int64(rows), u.ID)
	must(err)
}
