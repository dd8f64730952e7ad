package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	engine "modernc.org/sqlite"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// counted opens a journal that counts its commits.
func counted(t *testing.T) (*journal.Journal, *atomic.Int64) {
	t.Helper()
	j, err := Open(t.Context(), t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	conn, err := j.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var n atomic.Int64
	err = conn.Raw(func(c any) error {
		hooks, ok := c.(*keeper).engineConn.(engine.HookRegisterer)
		if !ok {
			return errors.New("the driver counts no commits")
		}
		hooks.RegisterCommitHook(func() int32 { n.Add(1); return 0 })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return j, &n
}

// atOnce calls do so many times at once while the writer is held up, so that the
// calls meet in the queue.
func atOnce(t *testing.T, j *journal.Journal, n int, do func(i int)) {
	t.Helper()
	held, err := j.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var began, ended sync.WaitGroup
	began.Add(n)
	for i := range n {
		ended.Go(func() {
			began.Done()
			do(i)
		})
	}
	began.Wait()
	if _, err := j.LastEvent(t.Context()); err != nil { // as long as a look takes
		t.Fatal(err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	ended.Wait()
}

func TestChangesThatComeTogetherShareACommit(t *testing.T) {
	t.Parallel()
	j, commits := counted(t)
	const many = 40
	for round := range 20 { // how many meet is up to the scheduler
		before := commits.Load()
		atOnce(t, j, many, func(i int) {
			name := fmt.Sprintf("flu_%d_%d.csv", round, i)
			if _, how, err := j.Spot(context.WithoutCancel(t.Context()), upload.Sighting{Channel: upload.Flu, Filename: name, At: time.Unix(1000, 0)}); err != nil || how != upload.Began {
				t.Error(how, err)
			}
		})
		if commits.Load()-before < many {
			return
		}
	}
	t.Errorf("%d commits for as many changes, again and again", commits.Load())
}

// After a start, the files of a whole directory may be known: to learn that, the one
// writer is not needed.
func TestKnownFilesDoNotTakeTheWritersTurn(t *testing.T) {
	t.Parallel()
	j, _ := counted(t)
	all := make([]upload.Sighting, 5)
	for i := range all {
		all[i] = upload.Sighting{Channel: upload.Flu, Filename: fmt.Sprintf("flu_%d.csv", i), At: time.Unix(1000, 0)}
	}
	began := j.SpotAll(t.Context(), all)
	held, err := j.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again := make(chan []upload.Spotted, 1)
	go func() { again <- j.SpotAll(context.WithoutCancel(t.Context()), all) }()
	select {
	case got := <-again:
		for i, a := range got {
			if a.How != upload.Underway || a.Err != nil || a.Upload.ID != began[i].Upload.ID {
				t.Errorf("%s: %s, %v", all[i].Filename, a.How, a.Err)
			}
		}
	case <-time.After(10 * time.Second):
		t.Error("known files wait for the writer")
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
}

// A change that fails after it has written (the content turns out to have been
// delivered) leaves nothing behind in the transaction that it shares.
func TestAChangeThatFailsUndoesItselfAlone(t *testing.T) {
	t.Parallel()
	j, commits := counted(t)
	ctx, now := context.WithoutCancel(t.Context()), time.Unix(1000, 0)
	const many = 30
	for round := range 20 {
		all := make([]upload.Upload, many)
		for i := range all {
			all[i] = bring(ctx, t, j, fmt.Sprintf("flu_%d_%d.csv", round, i), now, func(u upload.Upload) []upload.Outcome {
				x := upload.Examination{Digest: fmt.Sprintf("sha-256:%d-%d", round, i)}
				return []upload.Outcome{upload.Settled(u.Source), upload.Validated(x)}
			})
			if i%3 == 0 {
				_, err := j.DB().ExecContext(ctx, `INSERT INTO delivered VALUES ('flu', ?, 'earlier', 'accepted', 0)`, all[i].Digest)
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		before := commits.Load()
		atOnce(t, j, many, func(i int) {
			_, err := j.Record(ctx, all[i], upload.Packed(), now, true)
			if taken := errors.Is(err, journal.ErrContentTaken); taken != (i%3 == 0) {
				t.Errorf("%d: %v", i, err)
			}
		})
		for i, u := range all {
			want := upload.StatePacked
			if i%3 == 0 {
				want = upload.StateValidated
			}
			if now, err := j.Get(ctx, u.ID); err != nil || now.State != want {
				t.Errorf("%d is %s, want %s; %v", i, now.State, want, err)
			}
		}
		if commits.Load()-before < many*2/3 {
			return // some did meet
		}
	}
}

// A caller that gives up while its change is being made learns what became of
// it: told that it failed, and done all the same, is what must not be. And the
// others' changes go on.
func TestACallerThatGivesUpLearnsWhatBecameOfItsChange(t *testing.T) {
	t.Parallel()
	j, atChange := watched(t)
	const many = 20
	for round := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		var changes atomic.Int64
		giveUp := func() {
			if changes.Add(1) == 2 { // the first is alone; with the second, those that waited
				cancel()
			}
		}
		atChange.Store(&giveUp)
		errs := make([]error, many)
		atOnce(t, j, many, func(i int) {
			call := ctx
			if i%2 == 0 {
				call = t.Context()
			}
			errs[i] = j.SetMeta(call, fmt.Sprintf("%d-%d", round, i), "x")
		})
		for i, err := range errs {
			value, got := j.Meta(t.Context(), fmt.Sprintf("%d-%d", round, i))
			if got != nil || (err == nil) != (value == "x") || i%2 == 0 && err != nil {
				t.Errorf("%d: error %v, and the journal has %q (%v)", i, err, value, got)
			}
		}
		cancel()
	}
}

// watched opens a journal that calls what is stored at every change of meta.
func watched(t *testing.T) (*journal.Journal, *atomic.Pointer[func()]) {
	t.Helper()
	var atChange atomic.Pointer[func()]
	dir := t.TempDir()
	held, err := takeLock(filepath.Join(dir, LockName))
	if err != nil {
		t.Fatal(err)
	}
	store, err := openPools(filepath.Join(dir, FileName), held)
	if err != nil {
		t.Fatal(err)
	}
	if err := prepare(t.Context(), store.Write); err != nil {
		t.Fatal(err)
	}
	store.Dialect.Rebind = func(q string) string {
		if do := atChange.Load(); do != nil && strings.Contains(q, "INTO meta") {
			(*do)()
		}
		return q
	}
	j, err := journal.New(t.Context(), store, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, &atChange
}

func TestPreparedStatementsAreKeptButNotWithoutLimit(t *testing.T) {
	t.Parallel()
	db, err := openPool(dsn(filepath.Join(t.TempDir(), "x.db"), map[string][]string{}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for i := range 3 * mostKept {
		var n int
		if err := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT %d", i)).Scan(&n); err != nil || n != i {
			t.Fatal(n, err)
		}
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		if n := len(c.(*keeper).kept); n != mostKept {
			t.Errorf("%d statements kept, want %d", n, mostKept)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A statement whose rows are still being read is not run again under them.
func TestAStatementInUseIsNotShared(t *testing.T) {
	t.Parallel()
	db, err := openPool(dsn(filepath.Join(t.TempDir(), "x.db"), map[string][]string{}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		const query = `SELECT value FROM json_each('[1,2,3]')`
		k := c.(*keeper)
		read := func(r driver.Rows) (n int64) {
			v := make([]driver.Value, 1)
			if err := r.Next(v); err != nil {
				t.Fatal(err)
			}
			return v[0].(int64)
		}
		for range 2 { // the second time with what the first kept
			a, err := k.QueryContext(t.Context(), query, nil)
			if err != nil {
				return err
			}
			first := read(a)
			b, err := k.QueryContext(t.Context(), query, nil)
			if err != nil {
				return err
			}
			if got := []int64{first, read(b), read(a)}; got[0] != 1 || got[1] != 1 || got[2] != 2 {
				t.Errorf("read %v", got)
			}
			if err := errors.Join(a.Close(), b.Close()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
