package postgres

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// busyLine is a connection over which somebody's word comes every so often.
type busyLine struct {
	every  time.Duration
	origin string
	asked  int           // how often for the time
	slow   time.Duration // how long an answer takes on its way back
	broken error
}

func (l *busyLine) WaitForNotification(ctx context.Context) (*pgconn.Notification, error) {
	select {
	case <-time.After(l.every): // virtual
		return &pgconn.Notification{Payload: l.origin}, l.broken
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *busyLine) IsClosed() bool { return false }

func (l *busyLine) QueryRow(context.Context, string, ...any) pgx.Row { return timeRow{l} }

type timeRow struct{ *busyLine }

func (r timeRow) Scan(dest ...any) error {
	r.asked++
	*dest[0].(*time.Time) = time.Now().Round(0)
	<-time.After(r.slow) // virtual
	return nil
}

func testFollower(own func() time.Time) *follower {
	return newFollower(&dialer{o: Options{Now: own, Logger: slog.New(slog.DiscardHandler)}, origin: "own"})
}

func TestClocksAreComparedEveryMinuteWhateverIsHeard(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*busyLine{
		"others' changes, many": {every: 10 * time.Millisecond, origin: "other"},
		"our own":               {every: 40 * time.Second, origin: "own"},
		"nothing":               {every: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Second)
				defer cancel()
				told := 0
				err := testFollower(time.Now).hear(ctx, l, func() { told++ })
				if !errors.Is(err, context.DeadlineExceeded) || l.asked != 10 {
					t.Errorf("asked for the time %d times in ten minutes: %v", l.asked, err)
				}
				if (told > 0) != (l.origin == "other") {
					t.Errorf("told %d times of what %q did", told, l.origin)
				}
			})
		})
	}
}

func TestALineThatBreaksEndsTheHearing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := 0
		l := &busyLine{every: time.Second, origin: "other", broken: errors.New("cut")}
		if err := testFollower(time.Now).hear(t.Context(), l, func() { told++ }); !errors.Is(err, l.broken) || told != 1 {
			t.Errorf("told %d times of what came with the end, then %v", told, err)
		}
	})
}

func TestAnAnswerThatTakesLongSpoilsNoClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, l := testFollower(time.Now), &busyLine{}
		for _, slow := range []time.Duration{0, 15 * time.Second} {
			l.slow = slow
			if err := f.measureOver(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			if off := f.now().Sub(time.Now().Round(0)); off != 0 {
				t.Errorf("after an answer that took %v the clock is off by %v", slow, off)
			}
		}
	})
}
