package alert

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func (w *world) wants(notices ...string) {
	w.Helper()
	if diff := cmp.Diff(notices, w.heard()); diff != "" {
		w.Fatalf("messages (-want +got):\n%s", diff)
	}
}

var offline = Signal{Event: Offline, Channel: upload.Flu, Reason: upload.ServerUnreachable, Params: map[string]string{"since": "2026-11-27T08:00:00Z"}}

func TestManyFilesWithinTheGroupAreOneMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 40 {
		w.must(w.book.Raise(w.ctx, rejected(fmt.Sprint(i))))
	}
	w.after(29 * time.Second)
	w.wants()
	w.after(6 * time.Second)
	if len(w.got) != 1 || w.got[0].Alert.Count != 40 {
		t.Fatalf("messages: %+v", w.got)
	}
	w.heard()
	w.must(w.book.Raise(w.ctx, rejected("41")))
	w.must(w.book.Raise(w.ctx, rejected("42")))
	w.after(4 * time.Minute)
	w.wants() // gathered for ten times the group's wait
	w.after(2 * time.Minute)
	w.wants("more rejected/flu/lis")
	w.must(w.book.Raise(w.ctx, rejected("42"))) // the same upload again
	if a := w.one(); a.Count != 42 {
		t.Errorf("count: %d", a.Count)
	}
}

func TestAnAlertIsRepeatedUntilItIsAcknowledged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.book.Raise(w.ctx, offline))
	w.must(w.book.Raise(w.ctx, offline))
	w.after(time.Minute)
	w.wants("opened server_offline/flu")
	w.after(4 * time.Hour)
	w.wants("repeated server_offline/flu")
	id := w.one().ID
	a, err := w.book.Acknowledge(w.ctx, id, "operator")
	w.must(err)
	if a.AcknowledgedAt.IsZero() || !a.ResolvedAt.IsZero() {
		t.Errorf("acknowledged: %+v", a)
	}
	_, err = w.book.Acknowledge(w.ctx, id, "another") // it may be repeated
	w.must(err)
	w.after(9 * time.Hour)
	w.wants()
	w.must(w.book.Resolve(w.ctx, a.Key))
	w.after(time.Minute)
	w.wants("resolved server_offline/flu")
	w.after(9 * time.Hour)
	w.wants()
}

func TestAcknowledgingEndsWhatNothingElseWouldEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.after(time.Minute)
	w.wants("opened rejected/flu/lis")
	a, err := w.book.Acknowledge(w.ctx, w.one().ID, "operator")
	w.must(err)
	if a.ResolvedAt.IsZero() {
		t.Error("it is open still")
	}
	w.after(9 * time.Hour)
	w.wants()
	w.must(w.book.Raise(w.ctx, rejected("2")))
	w.after(time.Minute)
	w.wants("opened rejected/flu/lis")
}

func TestWhatIsOverBeforeAnybodyWouldBeToldIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.book.Raise(w.ctx, offline))
	w.after(20 * time.Second)
	w.must(w.book.Resolve(w.ctx, offline.Key()))
	w.after(time.Hour)
	w.wants()
	w.must(w.book.Resolve(w.ctx, "nobody/knows/it"))
}

func TestQuietHoursHoldAllButCriticalOnesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.Quiet = quiet(t, "22:00-07:00")
	w.restart()
	w.now = time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC) // 23:00 in China
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.must(w.book.Raise(w.ctx, offline))
	w.after(time.Minute)
	w.wants("opened server_offline/flu")
	w.must(w.book.Resolve(w.ctx, offline.Key()))
	w.after(7*time.Hour + 58*time.Minute) // 06:59
	w.wants("resolved server_offline/flu")
	w.after(2 * time.Minute)
	w.wants("opened rejected/flu/lis")
}

func TestReconcileRaisesWhatIsAndEndsWhatIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disk := Signal{Event: Disk, Reason: upload.DiskFull}
	events := []Event{Disk, Offline}
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.must(w.book.Reconcile(w.ctx, events, []Signal{disk, offline}))
	w.after(time.Minute)
	w.wants("opened rejected/flu/lis", "opened disk_full", "opened server_offline/flu")
	w.must(w.book.Reconcile(w.ctx, events, []Signal{offline}))
	w.after(time.Minute)
	w.wants("resolved disk_full")
	open, err := w.j.OpenAlerts(w.ctx)
	w.must(err)
	if len(open) != 2 {
		t.Errorf("open: %+v", open)
	}
}

func TestAWorseConditionIsToldAgainThoughAcknowledged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	expiring := Signal{Event: Certificate, Subject: "api", Params: map[string]string{"of": "api", "until": "2026-12-20T00:00:00Z"}}
	w.must(w.book.Raise(w.ctx, expiring))
	w.after(time.Minute)
	w.wants("opened certificate_expiry///api")
	_, err := w.book.Acknowledge(w.ctx, w.one().ID, "operator")
	w.must(err)
	expiring.Severity = Critical
	w.must(w.book.Raise(w.ctx, expiring))
	w.after(time.Minute)
	w.wants("repeated certificate_expiry///api")
}

func TestAMessageThatDoesNotArriveIsTriedOverRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = &Failure{Text: "no connection to the receiver"}
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.after(3 * time.Hour)
	a := w.one()
	if a.Attempt < 10 || a.LastError != "no connection to the receiver" || a.DueAt.IsZero() {
		t.Errorf("alert: %+v", a)
	}
	w.restart()
	w.answer = nil
	w.after(11 * time.Minute)
	w.wants("opened rejected/flu/lis")
	all, err := w.j.AlertDeliveries(w.ctx, a.ID)
	w.must(err)
	if last := all[len(all)-1]; !last.OK || last.Attempt != a.Attempt+1 {
		t.Errorf("deliveries: %+v", all)
	}
}

func TestACrashBetweenAnswerAndJournalSendsTwiceAndLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.now = w.now.Add(time.Minute)
	_, found, err := w.j.ClaimAlert(w.ctx, w.now, lease, apart) // claimed, sent, and then the end
	w.must(err)
	if !found {
		t.Fatal("nothing is due")
	}
	w.restart()
	w.after(50 * time.Second)
	w.wants() // somebody might be at it
	w.after(20 * time.Second)
	w.wants("opened rejected/flu/lis")
	w.after(time.Hour)
	w.wants()
}

func TestALateSenderNotesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.now = w.now.Add(time.Minute)
	late, _, err := w.j.ClaimAlert(w.ctx, w.now, lease, apart)
	w.must(err)
	w.after(2 * time.Minute)
	w.wants("opened rejected/flu/lis")
	before := w.one()
	w.must(w.sender.note(w.ctx, Message{Notice: Opened, Alert: late}, nil))
	if diff := cmp.Diff(before, w.one()); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutReceiverAlertsAreKeptAndNothingIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.Receiver = false
	w.restart()
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.must(w.book.Raise(w.ctx, rejected("2")))
	if a := w.one(); a.Count != 2 || !a.DueAt.IsZero() {
		t.Errorf("alert: %+v", a)
	}
}

func TestOnlyCriticalOnesWhereThatIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.MinSeverity = Critical
	w.restart()
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.must(w.book.Raise(w.ctx, offline))
	w.after(time.Hour)
	w.wants("opened server_offline/flu")
}

func TestACorrectedFileEndsItsAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, n := range []string{"1", "2"} {
		w.must(w.book.Raise(w.ctx, rejected(n)))
	}
	w.after(time.Minute)
	w.wants("opened rejected/flu/lis")
	good := func(n string) step {
		return step{over: []Event{Rejected}, upload: &upload.Upload{ID: "new", Filename: "lis_" + n + ".csv", Channel: upload.Flu, Kind: "lis"}}
	}
	settle := func(s step) {
		w.must(w.j.ChangeAlerts(w.ctx, func(ctx context.Context, tx journal.AlertTx) error { return w.book.take(ctx, tx, s) }))
	}
	settle(good("1"))
	if a := w.one(); Pending(a) != 1 || len(a.Files) != 1 {
		t.Errorf("after one of two: %+v", a)
	}
	settle(good("3")) // of another name
	w.after(time.Minute)
	w.wants()
	settle(good("2"))
	w.after(time.Minute)
	w.wants("resolved rejected/flu/lis")
}

// Replicas look at their own surroundings and keep the same alerts: what one of them
// does not see is not over for that.
func TestAReplicaThatIsWellEndsNoAlertOfOneThatIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.Stands = 30 * time.Second
	ill, well := NewBook(w.j, w.policy, w.clock, nil), NewBook(w.j, w.policy, w.clock, nil)
	events := []Event{Offline, Blocked}
	blocked := Signal{Event: Blocked, Channel: upload.Flu, Reason: upload.WatchDirMissing}
	look := func(d time.Duration, signals ...Signal) {
		for end := w.now.Add(d); w.now.Before(end); {
			w.must(well.Reconcile(w.ctx, events, nil))
			w.must(ill.Reconcile(w.ctx, events, signals))
			w.after(5 * time.Second)
		}
	}
	look(10*time.Minute, blocked)
	w.wants("opened blocked/flu")
	look(15 * time.Second)
	w.wants() // it may be seen again
	look(time.Minute)
	w.wants("resolved blocked/flu")
	w.one()

	longer, shorter := offline, offline
	shorter.Params = map[string]string{"since": "2026-11-27T08:20:00Z"}
	w.must(ill.Reconcile(w.ctx, events, []Signal{shorter}))
	w.must(well.Reconcile(w.ctx, events, []Signal{longer}))
	w.must(ill.Reconcile(w.ctx, events, []Signal{shorter}))
	open, err := w.j.OpenAlerts(w.ctx)
	w.must(err)
	if len(open) != 1 || open[0].Params["since"] != longer.Params["since"] {
		t.Errorf("open: %+v, want one, since when it was seen first", open)
	}
}

// What becomes critical while a message about it is on its way is told of at once.
func TestWhatBecomesCriticalWhileItIsToldIsToldAgain(t *testing.T) {
	t.Parallel()
	for _, repeat := range []time.Duration{4 * time.Hour, 0} {
		w := newWorld(t)
		w.policy.Repeat = repeat
		sent := w.policy.opened(Signal{Event: Missing, Severity: Warning, Channel: upload.Flu, Kind: "lis"}, w.now)
		now, _ := w.policy.again(sent, Signal{Event: Missing, Severity: Critical, Channel: upload.Flu, Kind: "lis"}, w.now.Add(time.Second))
		w.now = w.now.Add(2 * time.Second)
		if after := w.policy.delivered(now, sent, w.now); after.DueAt.IsZero() || after.DueAt.After(w.now) {
			t.Errorf("repeat %s: due at %s, want at once", repeat, after.DueAt)
		}
	}
}

// The clock was hours ahead when something was told, and has gone back since.
func TestAClockThatWentBackKeepsNothingQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = opened.Add(8 * time.Hour)
	w.must(w.book.Raise(w.ctx, rejected("1")))
	w.after(time.Minute)
	w.wants("opened rejected/flu/lis")
	w.must(w.book.Raise(w.ctx, Signal{Event: Disk, Reason: upload.DiskFull}))
	w.now = opened
	w.must(w.book.Raise(w.ctx, offline))
	w.must(w.book.Raise(w.ctx, rejected("2")))
	n, err := w.j.WakeFutureAlerts(w.ctx, w.now)
	w.must(err)
	w.after(2 * time.Minute)
	if got := w.heard(); len(got) != 3 || n == 0 {
		t.Errorf("heard %v after %d were made due; want of the disk, of the line and of one more file", got, n)
	}
}
