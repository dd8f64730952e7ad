package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres/postgrestest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// apart is a program whose clock is not the database's.
type apart struct {
	*App
	t *testing.T
}

// startedApart sets up a program, not running, whose clock is that much ahead of its
// database's. Names of schemas must differ.
func startedApart(t *testing.T, pg *postgrestest.Server, schema string, ahead time.Duration) apart {
	t.Helper()
	c, err := pgx.Connect(t.Context(), pg.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Exec(t.Context(), `CREATE SCHEMA `+schema)
	if err = errors.Join(err, c.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	a := started(t, Seams{Now: func() time.Time { return time.Now().Add(ahead) }}, "DATABASE_URL="+pg.URL(schema), "SETTLE=quiet")
	return apart{a, t}
}

// spot tells the journal of a file that is in no directory, as the watch does.
func (a apart) spot(name string) upload.Upload {
	a.t.Helper()
	got := ledger{a.App}.SpotAll(a.t.Context(), []upload.Sighting{{Channel: upload.Flu, Kind: "flu", Filename: name, At: a.now().UTC()}})
	if got[0].Err != nil || got[0].How != upload.Began {
		a.t.Fatal(got[0])
	}
	return got[0].Upload
}

// isDue asserts that the upload can be claimed now, and gives it back.
func (a apart) isDue(id upload.ID, what string) {
	a.t.Helper()
	u, found, err := a.journal.Claim(a.t.Context(), journal.Claim{
		Channel: upload.Flu, States: upload.OpenStates(), Owner: "test", Lease: time.Minute, Now: a.journal.Now(),
	})
	if err != nil {
		a.t.Fatal(err)
	}
	if !found || u.ID != id {
		a.t.Errorf("%s does not make an upload due", what)
		return
	}
	if err := a.journal.Release(a.t.Context(), u); err != nil {
		a.t.Fatal(err)
	}
}

// wait makes all uploads wait for ten minutes, for the upload window.
func (a apart) wait() {
	a.t.Helper()
	until := a.journal.Now().Add(10 * time.Minute).UnixNano()
	if _, err := a.journal.DB().ExecContext(a.t.Context(), `UPDATE uploads SET next_attempt_at = $1, reason = $2`, until, upload.OutsideUploadWindow); err != nil {
		a.t.Fatal(err)
	}
}

// isNow asserts that a time is the journal's present.
func (a apart) isNow(what string, at time.Time) {
	a.t.Helper()
	if off := a.journal.Now().Sub(at); off < -time.Second || off > time.Minute {
		a.t.Errorf("%s is %v in the past of the journal's clock", what, off)
	}
}

// With the database's clock behind ours all that we make due would wait for as long as
// it is behind; with it ahead, what is due would seem to wait.
func TestTheJournalIsKeptByItsOwnClock(t *testing.T) {
	t.Parallel()
	pg := postgrestest.Own(t)
	for name, test := range map[string]struct {
		ahead time.Duration
		run   func(a apart)
	}{
		"what_is_made_due_is_due":   {time.Hour, apart.makesDue},
		"also_by_a_forced_scan":     {time.Hour, apart.scansByForce},
		"what_is_due_is_left_alone": {-time.Hour, apart.leavesAlone},
		"times_with_ours_ahead":     {time.Hour, apart.keepsTimes},
		"times_with_ours_behind":    {-time.Hour, apart.keepsTimes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.run(startedApart(t, pg, name, test.ahead))
		})
	}
}

func (a apart) makesDue() {
	ctx, u := a.t.Context(), a.spot("flu_1.csv")
	a.isDue(u.ID, "a sighting")
	for what, act := range map[string]func() error{
		"a nudge":                  func() error { a.nudged(upload.Flu, u.Filename); return nil },
		"a channel that opens":     func() error { a.reopened(ctx, upload.Flu, nil); return nil },
		"an operator's retry":      func() error { _, err := operator{a.App}.Retry(ctx, u.ID); return err },
		"a window that is no more": func() error { a.wakeWaiting(ctx); return nil },
	} {
		a.wait()
		if err := act(); err != nil {
			a.t.Fatal(err)
		}
		a.isDue(u.ID, what)
	}
}

func (a apart) scansByForce() {
	l := a.lines[upload.Flu]
	if err := os.WriteFile(filepath.Join(l.WatchDir, "lis_1.csv"), []byte("a\n"), 0o600); err != nil {
		a.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(a.t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { _ = l.watcher.Run(ctx) })
	defer watching.Wait()
	defer stop()
	look := func() httpapi.Looked {
		all, err := trigger{a.App}.Trigger(ctx, httpapi.Look{Force: true})
		if err != nil || len(all) != 1 {
			a.t.Fatal(all, err)
		}
		return all[0]
	}
	look()
	a.wait()
	a.isDue(look().UploadID, "a forced scan")
}

func (a apart) leavesAlone() {
	ctx, u := a.t.Context(), a.spot("flu_1.csv")
	c, _, err := a.journal.Claim(ctx, journal.Claim{
		Channel: upload.Flu, States: upload.OpenStates(), Owner: "test", Lease: time.Minute, Now: a.journal.Now(),
	})
	if err != nil || c.ID != u.ID {
		a.t.Fatal(c.ID, err)
	}
	if _, err := (operator{a.App}).Retry(ctx, u.ID); err != nil {
		a.t.Fatal(err)
	}
	if err := a.journal.Renew(ctx, c, a.journal.Now().Add(time.Minute)); err != nil {
		a.t.Errorf("a retry has taken it from whoever works on it: %v", err)
	}
}

func (a apart) keepsTimes() {
	ctx, u := a.t.Context(), a.spot("flu_1.csv")
	a.isNow("when a file was spotted", u.SpottedAt)
	a.isNow("when its row was changed", u.UpdatedAt)
	if _, err := (shown{a.App}).Pause(ctx, upload.Flu); err != nil {
		a.t.Fatal(err)
	}
	r, err := a.journal.Channel(ctx, upload.Flu)
	if err != nil {
		a.t.Fatal(err)
	}
	a.isNow("when a channel was paused", r.PausedAt)
	snap, err := shown{a.App}.Snapshot(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	a.isNow("the moment of the gauges", snap.At)
	channels, err := shown{a.App}.List(ctx)
	if err != nil || len(channels) != 1 || channels[0].Backlog.Oldest.Abs() > time.Minute {
		a.t.Errorf("the oldest waits for too long: %+v %v", channels, err)
	}
	if u, err = (operator{a.App}).Cancel(ctx, u.ID); err != nil {
		a.t.Fatal(err)
	}
	a.isNow("when it was cancelled", u.FinishedAt)
}
