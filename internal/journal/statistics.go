package journal

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// timedUploads bounds whose events are looked at for the stages' durations.
	timedUploads = 5000
	// countedUploads bounds whose findings are counted by rule.
	countedUploads = 1000
	// countedRules is how many rules are listed.
	countedRules = 20
)

// Span is a stretch of time, Begins included, Ends not.
type Span struct{ Begins, Ends time.Time }

// DayCount counts the uploads of one day that share channel, kind and verdict.
type DayCount struct {
	Day         int // its place among the days asked for
	Channel     upload.Channel
	Kind        upload.Kind
	Verdict     upload.Verdict // empty: none (yet)
	Files       int64
	Ended       int64 // of those without a verdict: cancelled, vanished or superseded, so that none will come
	Rows        int64
	SourceBytes int64
	PackedBytes int64
	PackedFrom  int64 // bytes of the originals of those that were packed
}

// CountDays counts the uploads spotted on each of the days, which must not
// overlap, by channel (empty: all), kind and verdict.
func (j *Journal) CountDays(ctx context.Context, ch upload.Channel, days []Span) ([]DayCount, error) {
	const op = "count days"
	if err := j.begin(op); err != nil || len(days) == 0 {
		return nil, err
	}
	values := make([]string, len(days))
	for i, d := range days {
		values[i] = fmt.Sprintf("(%d, %d, %d)", i, d.Begins.UnixNano(), d.Ends.UnixNano()) // numbers of our own making
	}
	w := where{}
	w.add(`spotted_at >= begins`)
	w.add(`spotted_at < ends`)
	if ch != "" {
		w.add(`channel = ?`, ch)
	}
	all, err := collect(ctx, j, func(c *DayCount) []any {
		return []any{&c.Day, &c.Channel, &c.Kind, &c.Verdict, &c.Files, &c.Ended, &c.Rows, &c.SourceBytes, &c.PackedBytes, &c.PackedFrom}
	}, `WITH days (n, begins, ends) AS (VALUES `+strings.Join(values, ", ")+`)
		SELECT n, channel, kind, verdict, count(*),
			CAST(sum(CASE WHEN verdict = '' AND state IN ('cancelled', 'vanished', 'superseded') THEN 1 ELSE 0 END) AS BIGINT), CAST(sum(data_rows) AS BIGINT), CAST(sum(source_size) AS BIGINT), CAST(sum(packed_size) AS BIGINT),
			CAST(sum(CASE WHEN packed_size > 0 THEN source_size ELSE 0 END) AS BIGINT)
		FROM days CROSS JOIN uploads`+w.sql()+`
		GROUP BY n, channel, kind, verdict ORDER BY n, channel, kind, verdict`, w.args...)
	return all, j.fail(op, err)
}

// StageTime is how long stages took, from one change of state to the next.
type StageTime struct {
	Stage string
	Took  []time.Duration // in order of length
}

// stageOf names the stage that leads from one state to another; empty: none does.
func stageOf(from, to upload.State) string {
	switch {
	case from == upload.StateSpotted && to == upload.StateSettled:
		return "settle"
	case from == upload.StateSettled && (to == upload.StateValidated || to == upload.StateDecided):
		return "validate"
	case from == upload.StateValidated && (to == upload.StatePacked || to == upload.StateDecided):
		return "pack"
	case from == upload.StatePacked && (to == upload.StateSent || to == upload.StateDecided):
		return "transmit"
	case from == upload.StateSent && to == upload.StateDecided:
		return "confirm"
	case from == upload.StateDecided && to == upload.StateRetired:
		return "retire"
	default:
		return ""
	}
}

// Held is what the time from packed to sent is called where the channel was
// paused, or the upload window closed, meanwhile: it says nothing of the link.
const Held = "held"

// TimeStages gives how long the stages of the latest uploads of the span took, of
// at most 5000, by channel (empty: all). Waiting is included, but see [Held].
func (j *Journal) TimeStages(ctx context.Context, ch upload.Channel, s Span) ([]StageTime, error) {
	const op = "time stages"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	w := s.where(ch)
	events, err := collect(ctx, j, func(e *upload.Event) []any {
		return []any{&e.UploadID, &e.From, &e.To, &e.Reason, nanos{&e.At}}
	}, `SELECT upload_id, from_state, to_state, reason, at FROM events WHERE upload_id IN (
			SELECT id FROM uploads`+w.sql()+` ORDER BY spotted_at DESC, seq DESC LIMIT ?)
		AND (from_state <> to_state OR reason IN (?, ?)) ORDER BY upload_id, seq`, append(w.args, timedUploads, upload.ChannelPaused, upload.OutsideUploadWindow)...)
	if err != nil {
		return nil, j.fail(op, err)
	}
	took := tookOf(events)
	var all []StageTime
	for _, stage := range slices.Sorted(maps.Keys(took)) {
		slices.Sort(took[stage])
		all = append(all, StageTime{stage, took[stage]})
	}
	return all, nil
}

// tookOf sorts the times between changes of state by stage; events are in order,
// upload by upload.
func tookOf(events []upload.Event) map[string][]time.Duration {
	took := map[string][]time.Duration{}
	var before upload.Event
	held := false
	for _, e := range events {
		if e.From == e.To {
			held = held || e.UploadID == before.UploadID
			continue
		}
		if stage := stageOf(e.From, e.To); stage != "" && before.UploadID == e.UploadID {
			if held && stage == "transmit" {
				stage = Held
			}
			took[stage] = append(took[stage], max(0, e.At.Sub(before.At)))
		}
		before, held = e, false
	}
	return took
}

// RuleTally counts the findings of one rule.
type RuleTally struct {
	Rule     string
	Severity upload.Severity
	Count    int64
	Files    int64
}

// CountRules gives the rules that the latest uploads of the span broke most
// often, at most 20; of at most 1000 uploads that have findings, by channel
// (empty: all). Only findings that are kept are counted.
func (j *Journal) CountRules(ctx context.Context, ch upload.Channel, s Span) ([]RuleTally, error) {
	const op = "count rules"
	if err := j.begin(op); err != nil {
		return nil, err
	}
	w := s.where(ch)
	w.add(`findings_fatal + findings_error + findings_warning > 0`)
	all, err := collect(ctx, j, func(t *RuleTally) []any {
		return []any{&t.Rule, &t.Severity, &t.Count, &t.Files}
	}, `SELECT rule, severity, count(*), count(DISTINCT upload_id) FROM findings WHERE upload_id IN (
			SELECT id FROM uploads`+w.sql()+` ORDER BY spotted_at DESC, seq DESC LIMIT ?)
		GROUP BY rule, severity ORDER BY 3 DESC, 1, 2 LIMIT ?`, append(w.args, countedUploads, countedRules)...)
	return all, j.fail(op, err)
}

func (s Span) where(ch upload.Channel) where {
	w := where{}
	w.add(`spotted_at >= ?`, at(s.Begins))
	w.add(`spotted_at < ?`, at(s.Ends))
	if ch != "" {
		w.add(`channel = ?`, ch)
	}
	return w
}
