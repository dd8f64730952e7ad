package alert

import (
	"context"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pace"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// opened is the test's own time: a Friday, half past four in the afternoon in China.
var opened = time.Date(2026, 11, 27, 8, 30, 0, 0, time.UTC)

// world is a book and a sender on a real journal, with a clock that is moved by
// hand and a receiver that says what the test wants.
type world struct {
	testing.TB
	ctx    context.Context //nolint:containedctx // the test's own, as long as the world
	j      *journal.Journal
	dir    string
	policy Policy
	now    time.Time
	book   *Book
	sender *Sender
	got    []Message
	answer error // of the receiver
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, ctx: t.Context(), dir: t.TempDir(), now: opened, policy: Policy{
		Receiver: true, GroupWait: 30 * time.Second, Repeat: 4 * time.Hour, Location: time.FixedZone("CST", 8*3600),
		Backoff: upload.Backoff{Min: 5 * time.Second, Max: 10 * time.Minute},
	}}
	w.start()
	return w
}

// start opens the journal, as after a start of the program.
func (w *world) start() {
	w.Helper()
	j, err := sqlite.Open(w.ctx, w.dir, journal.Options{})
	w.must(err)
	w.j = j
	w.Cleanup(func() { _ = j.Close() })
	w.book = NewBook(j, w.policy, w.clock, nil)
	w.sender = NewSender(SenderOptions{Outbox: j, Post: w, Policy: w.policy, Lang: phrase.Chinese, Now: w.clock})
}

// restart ends the process and begins another.
func (w *world) restart() {
	w.Helper()
	w.must(w.j.Close())
	w.start()
}

func (w *world) clock() time.Time { return w.now }

// Send implements Post.
func (w *world) Send(_ context.Context, m Message) error {
	if w.answer == nil {
		w.got = append(w.got, m)
	}
	return w.answer
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// after moves the clock, step by step, and sends what falls due.
func (w *world) after(d time.Duration) {
	w.Helper()
	step := min(d, 5*time.Second)
	if d > time.Hour {
		step = time.Minute
	}
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(min(step, end.Sub(w.now)))
		_, err := w.sender.SendNext(w.ctx)
		w.must(err)
	}
}

// heard gives the notices that arrived since the last call, and forgets them.
func (w *world) heard() []string {
	var all []string
	for _, m := range w.got {
		all = append(all, string(m.Notice)+" "+m.Alert.Key)
	}
	w.got = nil
	return all
}

func (w *world) one() journal.Alert {
	w.Helper()
	p, err := w.j.ListAlerts(w.ctx, false, "", 10)
	w.must(err)
	if len(p.Alerts) != 1 {
		w.Fatalf("%d alerts, want one", len(p.Alerts))
	}
	return p.Alerts[0]
}

func rejected(n string) Signal {
	return Signal{
		Event: Rejected, Channel: upload.Flu, Kind: "lis", Reason: upload.RejectedByServer,
		File: journal.AlertFile{Name: "lis_" + n + ".csv", UploadID: upload.ID("u" + n)},
	}
}

func quiet(t testing.TB, hours string) pace.Week {
	t.Helper()
	week, err := pace.ParseWeek(hours)
	if err != nil {
		t.Fatal(err)
	}
	return week
}
