package postgres_test

import (
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres"
)

// ownClock is a replica's: off by as much as it is set to. Where it is asleep, its
// steady reading stays behind as well.
type ownClock struct{ set, asleep atomic.Int64 }

func (c *ownClock) now() time.Time {
	return set(time.Now().Add(-time.Duration(c.asleep.Load())), time.Duration(c.set.Load()))
}

// set is t with its wall clock set by whole seconds and its steady reading left
// alone, as when an operator or NTP sets the machine's clock: no exported
// operation of time.Time does that.
func set(t time.Time, by time.Duration) time.Time {
	const steady, secondsAt = 1 << 63, 30 // the layout of time.Time.wall
	wall := (*uint64)(unsafe.Pointer(&t))
	if *wall&steady == 0 {
		panic("no steady clock in this time")
	}
	*wall += uint64(by/time.Second) << secondsAt
	return t
}

// near says that j shows the database's clock, which is this machine's.
func near(j *journal.Journal) bool { return j.Now().Sub(time.Now().Round(0)).Abs() < 10*time.Second }

func TestTheJournalsClockIsTheDatabasesHoweverOursIsSet(t *testing.T) {
	t.Parallel()
	var own ownClock
	own.set.Store(int64(time.Hour))
	j := openBy(t, newSchema(t), postgres.Options{Now: own.now})
	for _, by := range []time.Duration{time.Hour, 0, -3 * time.Minute, 24 * time.Hour} {
		own.set.Store(int64(by))
		if !near(j) {
			t.Errorf("ours is set by %v, and the journal's is off by %v", by, time.Until(j.Now()))
		}
	}
}

func TestClocksAreComparedWhenAskedTo(t *testing.T) {
	t.Parallel()
	var own ownClock
	j := openBy(t, newSchema(t), postgres.Options{Now: own.now})
	comes(t, "the first connection", j.SubscribeOthers(t.Context())) // which compares, too
	own.asleep.Store(int64(3 * time.Minute))
	if near(j) {
		t.Fatal("nobody has compared clocks, and yet the journal's is right")
	}
	if err := j.CompareClocks(t.Context()); err != nil || !near(j) {
		t.Errorf("compared (%v), and the journal's clock is off by %v", err, time.Until(j.Now()))
	}
}

func TestClocksAreComparedAfterEachConnection(t *testing.T) {
	t.Parallel()
	var own ownClock
	url := newSchema(t)
	j := openBy(t, url, postgres.Options{Now: own.now})
	news := j.SubscribeOthers(t.Context())
	comes(t, "the first connection", news)
	own.asleep.Store(int64(3 * time.Minute))
	if near(j) {
		t.Fatal("nobody has compared clocks, and yet the journal's is right")
	}
	eventually(t, "the listening connection is cut", func() bool {
		return number(t, j, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE query = 'LISTEN "hqms_' || current_schema()::regnamespace::oid || '"'`) > 0
	})
	comes(t, "the second connection", news)
	if !near(j) {
		t.Errorf("connected again, and the journal's clock is off by %v", time.Until(j.Now()))
	}
}
