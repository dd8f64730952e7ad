package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/postgres/postgrestest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// patience is used up by failing tests alone.
const patience = 30 * time.Second

func sighting(name string) upload.Sighting {
	return upload.Sighting{Channel: upload.Flu, Kind: "flu", Filename: name, At: time.Now().UTC()}
}

func spot(t *testing.T, j *journal.Journal, name string) upload.Upload {
	t.Helper()
	u, how, err := j.Spot(t.Context(), sighting(name))
	if err != nil || how != upload.Began {
		t.Fatal(how, err)
	}
	return u
}

func comes(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal("waited in vain: " + what)
	}
}

// eventually asks until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain: " + what)
		}
	}
}

// number asks the database for one.
func number(t *testing.T, j *journal.Journal, query string) (n int) {
	t.Helper()
	if err := j.DB().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReadersOfEventsMissNoneThatCommitsLate(t *testing.T) {
	t.Parallel()
	j := open(t, journal.Options{})
	late, early := spot(t, j, "late.csv"), spot(t, j, "early.csv")
	last, err := j.LastEvent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx, err := j.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // committed below
	const event = `INSERT INTO events (upload_id, channel, at, name, from_state, to_state, verdict, reason, detail, attempt)
		VALUES ($1, 'flu', 1, 'late', 'spotted', 'spotted', '', '', '', 0)`
	if _, err := tx.ExecContext(t.Context(), event, late.ID); err != nil {
		t.Fatal(err)
	}
	acted := make(chan error, 1)
	go func() {
		_, err := j.Act(context.WithoutCancel(t.Context()), early.ID, upload.Cancelled(), time.Now())
		acted <- err
	}()
	// The second writer either waits for its turn or is through at once.
	through := false
	eventually(t, "the second writer waits or is through", func() bool {
		select {
		case err := <-acted:
			if err != nil {
				t.Error(err)
			}
			through = true
		default:
		}
		return through || number(t, j, `SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.classid
			WHERE l.locktype = 'advisory' AND NOT l.granted AND c.relnamespace = current_schema()::regnamespace`) > 0
	})
	var seen []string
	read := func() {
		events, err := j.EventsAfter(t.Context(), last, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			seen, last = append(seen, e.Name), e.Seq
		}
	}
	read()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if !through {
		if err := <-acted; err != nil {
			t.Fatal(err)
		}
	}
	read()
	if fmt.Sprint(seen) != "[late cancelled]" {
		t.Errorf("a reader that goes on from the last number saw %v", seen)
	}
}

func TestOtherReplicasAreWokenByEveryChangeAndNoneByItsOwn(t *testing.T) {
	t.Parallel()
	url := newSchema(t)
	here := openAt(t, url, journal.Options{})
	own := here.SubscribeOthers(t.Context())
	there := openAt(t, url, journal.Options{})
	any, news := there.Subscribe(t.Context()), there.SubscribeOthers(t.Context())
	for _, c := range []<-chan struct{}{own, any, news} { // each is told when it has connected, and of what happens from then on
		comes(t, "the connection", c)
	}
	u := spot(t, here, "flu_1.csv")
	comes(t, "news of a sighting", news)
	comes(t, "for whoever subscribes to all", any)
	c, _, err := there.Claim(t.Context(), journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "there", Lease: time.Minute, Now: time.Now()})
	if err != nil || c.ID != u.ID {
		t.Fatal(c.ID, err)
	}
	if err := there.Renew(t.Context(), c, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := there.Release(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	comes(t, "news of a row that is free", own)
	for what, change := range map[string]func() error{
		"a wait cut short": func() error {
			exec(t, url, `UPDATE uploads SET next_attempt_at = next_attempt_at + 3600000000000`)
			return there.Touch(t.Context(), u.ID, time.Now())
		},
		"a channel's standing": func() error {
			return there.SaveChannel(t.Context(), journal.ChannelRecord{Channel: upload.Flu, Paused: true, UpdatedAt: time.Now()})
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		comes(t, "news of "+what, own)
	}
	select {
	case <-news:
		t.Error("a replica was told of its own change as of another's")
	default:
	}
}

func TestWhoListensConnectsAgainAndIsToldOfWhatItMayHaveMissed(t *testing.T) {
	t.Parallel()
	url := newSchema(t)
	j := openAt(t, url, journal.Options{})
	news := j.SubscribeOthers(t.Context())
	comes(t, "the first connection", news)
	eventually(t, "the listening connection is cut", func() bool {
		return number(t, j, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE query = 'LISTEN "hqms_' || current_schema()::regnamespace::oid || '"'`) > 0
	})
	comes(t, "the second connection", news)
}

func TestFiveReplicasMayStartAtOnce(t *testing.T) {
	t.Parallel()
	url := newSchema(t)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			j, err := postgres.Open(t.Context(), postgres.Options{URL: func() string { return url }})
			if err != nil {
				t.Error(err)
				return
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestMigrationsWaitForTheOneWhoMigrates(t *testing.T) {
	t.Parallel()
	url := newSchema(t)
	holder, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close(context.WithoutCancel(t.Context()))
	const lock = `hashtextextended('hqms schema ' || current_schema(), 0)`
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_lock(`+lock+`)`); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		j, err := postgres.Open(context.WithoutCancel(t.Context()), postgres.Options{URL: func() string { return url }})
		if err == nil {
			err = j.Close()
		}
		opened <- err
	}()
	eventually(t, "the other one waits", func() bool {
		var waiting int
		err := holder.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND (classid::bigint << 32 | objid::bigint) = `+lock).Scan(&waiting)
		return err == nil && waiting == 1
	})
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_unlock(`+lock+`)`); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestANewerSchemaIsRefusedOnlyWhereItCannotBeUsed(t *testing.T) {
	t.Parallel()
	url := newSchema(t)
	openAt(t, url, journal.Options{})
	exec(t, url, `INSERT INTO schema_versions (version_id, is_applied) VALUES (99, TRUE)`)
	j := openAt(t, url, journal.Options{}) // the release before, during a rolling upgrade
	spot(t, j, "flu_1.csv")
	exec(t, url, `UPDATE meta SET value = '99' WHERE name = 'schema_readable_from'`)
	_, err := postgres.Open(t.Context(), postgres.Options{URL: func() string { return url }})
	if !errors.Is(err, journal.ErrTooNew) {
		t.Fatalf("%v, want ErrTooNew", err)
	}
}

func TestATurnIsOneProcesssAndGoesWithItsConnection(t *testing.T) {
	t.Parallel()
	url := newSchema(t)
	one, two := openAt(t, url, journal.Options{}), openAt(t, url, journal.Options{})
	release, err := one.Turn(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan func(), 1)
	go func() {
		release, err := two.Turn(context.WithoutCancel(t.Context()), "x")
		if err != nil {
			t.Error(err)
		}
		got <- release
	}()
	eventually(t, "the other waits", func() bool {
		return number(t, one, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%hqms turn%'`) > 0
	})
	select {
	case <-got:
		t.Fatal("two have the same turn")
	default:
	}
	release()
	(<-got)()
	release, err = one.Turn(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	number(t, two, `SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
		AND (classid::bigint << 32 | objid::bigint) = hashtextextended('hqms turn ' || current_schema() || ' x', 0)`)
	again, err := two.Turn(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	release() // of what is lost already
	again()
}

func TestADatabaseThatIsAwayIsALocalFaultAndComesBackByItself(t *testing.T) {
	t.Parallel()
	own := postgrestest.Own(t)
	j := openAt(t, own.URL(""), journal.Options{})
	u := spot(t, j, "flu_1.csv")
	for _, crash := range []bool{false, true} {
		if err := own.Down(t.Context(), crash); err != nil {
			t.Fatal(err)
		}
		for range 12 { // also every connection that the pool still has
			for op, err := range map[string]error{
				"claim": second(j.Claim(t.Context(), journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "o", Lease: time.Minute, Now: time.Now()})),
				"get":   first(j.Get(t.Context(), u.ID)),
				"list":  first(j.List(t.Context(), journal.Filter{}, "", 1)),
				"act":   first(j.Act(t.Context(), u.ID, upload.Cancelled(), time.Now())),
				"turn":  first(j.Turn(t.Context(), "x")),
			} {
				f, ok := errors.AsType[*upload.Fault](err)
				if !ok || f.Class != upload.Local || f.Reason != upload.JournalUnavailable {
					t.Fatalf("%s without a database: %v, want a local fault", op, err)
				}
			}
		}
		if err := own.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it works again", func() bool { _, err := j.Get(t.Context(), u.ID); return err == nil })
	}
}

func TestTheStartWaitsForADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	own := postgrestest.Own(t)
	if err := own.Down(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	up := make(chan error, 1)
	j, err := postgres.Open(t.Context(), postgres.Options{URL: func() string {
		if asked.Add(1) == 3 { // it has failed, and tries again
			go func() { up <- own.Up(t.Context()) }()
		}
		return own.URL("")
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	if err := <-up; err != nil {
		t.Fatal(err)
	}
	spot(t, j, "flu_1.csv")
}

func first[T any](_ T, err error) error          { return err }
func second[T, U any](_ T, _ U, err error) error { return err }

func TestTheStartEndsAtOnceWhereWaitingDoesNotHelpAndTellsNoPassword(t *testing.T) {
	t.Parallel()
	newSchema(t) // skips where there is no server
	for _, url := range []string{
		"postgres://postgres:geheim@" + server.Addr() + "/nowhere?sslmode=disable",
		"postgres://postgres:geheim@" + server.Addr() + "/x?sslmode=geheim",
	} {
		_, err := postgres.Open(t.Context(), postgres.Options{URL: func() string { return url }})
		if err == nil {
			t.Fatal("opened")
		}
		if s := err.Error(); len(s) == 0 || containsSecret(s) {
			t.Errorf("the error tells the password: %s", s)
		}
	}
}

func containsSecret(s string) bool { return strings.Contains(s, "geheim") }
