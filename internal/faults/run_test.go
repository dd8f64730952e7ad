package faults

import (
	"log/slog"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/channel"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/transmittest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// pause says where the time of the next look comes from.
type pause string

// The pauses.
const (
	pauseNone    pause = "none"
	pauseBackoff pause = "backoff"
	pauseWish    pause = "wish"
	pausePoll    pause = "poll"
	pauseRefused pause = "refused"
)

// outcome is what one row says: after the fault struck once, after it struck
// again, and after it was mended.
type outcome struct {
	fault fault
	step  step

	state   upload.State
	attempt int
	next    pause
	reason  upload.Reason
	level   slog.Level
	channel channel.State

	again      bool // the same step was tried again while the fault lasted
	againLevel slog.Level

	verdict  upload.Verdict
	bodies   int // requests that carried a body
	arrived  int
	accepted int
}

// run makes one row.
func run(t *testing.T, f fault, s step) outcome {
	t.Helper()
	w := f.world(t)
	w.approach(s)
	w.log.worst()
	from := w.upload()
	mend := f.inflict(w, s)
	u := w.step()
	o := outcome{
		fault: f, step: s, state: u.State, attempt: u.Attempt, next: w.pause(u, f), reason: u.Reason,
		level: w.log.worst(), channel: w.gate.Status().State,
	}
	switch {
	case f.lasting:
		w.end(&o)
		return o
	case u.Reason == upload.UploadRefused: // the second refusal would be believed
	case u.State == from.State, s == stepToken && u.State == upload.StatePacked:
		for range 2 { // the second time the reason is known; the third shows that it stays so
			u = w.step()
			w.pause(u, f)
			o.again, o.againLevel = true, w.log.worst()
		}
	}
	mend()
	w.end(&o)
	return o
}

// approach brings the upload to where the step is next.
func (w *world) approach(s step) {
	w.t.Helper()
	switch s {
	case stepResult:
		if u := w.step(); u.State != upload.StateSent || u.Ticket.Fate != upload.Answered {
			w.t.Fatalf("not sent: %+v", u)
		}
	case stepAsk:
		w.server.Break(transmittest.Upload, refusal()) // a small body cannot be broken off: buffers take it whole
		if u := w.step(); u.State != upload.StatePacked || u.Ticket.Fate != upload.Broken {
			w.t.Fatalf("not broken: %+v", u)
		}
		w.server.Break(transmittest.Upload, nil)
	case stepToken, stepUpload:
	}
}

// pause finds out where the time of the next look comes from, and fails when it
// is outside the bounds that the settings give.
func (w *world) pause(u upload.Upload, f fault) pause {
	w.t.Helper()
	ceiling := upload.Backoff{Min: retryMin, Max: retryMax}.Ceiling(max(1, u.Attempt))
	switch d := u.NextAttemptAt.Sub(u.UpdatedAt); {
	case u.State == upload.StateDecided && d == 0:
		return pauseNone
	case f.wish > 0 && d == f.wish:
		return pauseWish
	case f.wish > 0 && d > f.wish && d <= ceiling:
		return pauseWish
	case d == refusedRetry:
		return pauseRefused
	case u.State == upload.StateSent && u.Attempt == 0 && d >= pollMin && d <= pollMax:
		return pausePoll
	case u.Attempt > 0 && d >= retryMin/2 && d <= ceiling && f.wish == 0:
		return pauseBackoff
	default:
		w.t.Errorf("the next look comes after %s, which no setting explains (state %s, attempt %d)", d, u.State, u.Attempt)
		return pause(d.String())
	}
}

// end lets the upload go its way without faults.
func (w *world) end(o *outcome) {
	w.t.Helper()
	const enough = 300
	began := w.clock.Now()
	u := w.upload()
	for range enough {
		if u.State == upload.StateDecided || u.State == upload.StateFailed {
			break
		}
		u = w.step()
	}
	w.settleServer()
	o.verdict = u.Verdict
	o.bodies, o.arrived, o.accepted = w.server.Count(transmittest.Upload), w.box.Received(w.digest), w.box.Accepted(w.digest)
	if u.State != upload.StateDecided {
		w.t.Errorf("it ended %s (%s), %s after the fault", u.State, u.Reason, w.clock.Now().Sub(began))
	}
	if took := w.clock.Now().Sub(began); took > deadline+time.Hour {
		w.t.Errorf("it took %s after the fault was over", took)
	}
	if o.accepted > 1 || o.verdict == upload.Accepted && o.accepted != 1 {
		w.t.Errorf("verdict %q, and the server has stored it %d times", o.verdict, o.accepted)
	}
	if o.level > slog.LevelWarn || w.log.worst() > slog.LevelWarn || o.again && o.againLevel > slog.LevelInfo {
		w.t.Errorf("it was logged at level %s, the second time at %s", o.level, o.againLevel)
	}
}
