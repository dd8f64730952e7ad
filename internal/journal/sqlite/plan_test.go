package sqlite

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// TestNoQueryReadsAllRows asks SQLite how it would run every statement that the
// journal's methods use, and accepts scans of small indices and tables only.
func TestNoQueryReadsAllRows(t *testing.T) {
	t.Parallel()
	j, said := recording(t)
	exercise(t, j)
	queries := said()
	if len(queries) < 30 {
		t.Fatalf("%d statements: has something been left out?", len(queries))
	}
	whole := regexp.MustCompile(`^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?`)
	small := []string{
		"days", // of a report: made up, not stored
		"due",  // of a claim: those it takes
		"reasons", "last_accepted", "uploads_claims", "uploads_unfinished", "uploads_remarkable", "uploads_prunable",
		"uploads_spotted", // in the order of the list, from the cursor on
	}
	for _, q := range queries {
		for _, line := range plan(t, j, q) {
			m := whole.FindStringSubmatch(line)
			if m == nil || strings.Contains(line, "CONSTANT ROW") || slices.Contains(small, m[1]) || slices.Contains(small, m[2]) {
				continue
			}
			t.Errorf("%s\n%s", line, q)
		}
	}
}

// A claim reads each state's rows by themselves, in their order, from an index of
// open rows: however many wait in another state, it does not look at them.
func TestClaimsReadOneStateAtATimeInOrder(t *testing.T) {
	t.Parallel()
	j, said := recording(t)
	exercise(t, j)
	claims := 0
	for _, q := range said() {
		if !strings.Contains(q, "AS due ORDER BY") {
			continue
		}
		claims++
		searches := 0
		for _, line := range plan(t, j, q) {
			if strings.Contains(line, "uploads") && !strings.Contains(line, "SEARCH uploads USING INTEGER PRIMARY KEY") { // of those that are claimed
				searches++
				if !strings.Contains(line, "SEARCH uploads USING COVERING INDEX uploads_claims (channel=? AND state=?)") {
					t.Errorf("%s\n%s", line, q)
				}
			}
		}
		if searches == 0 {
			t.Errorf("no part of the plan is about uploads:\n%s", q)
		}
	}
	if claims == 0 {
		t.Errorf("%d questions of claims", claims)
	}
}

// To find that none of many fresh files is a retried one takes reading all of them:
// it is not asked while there are fresh ones enough.
func TestAClaimThatFindsEnoughFreshFilesAsksForNoRetriedOnes(t *testing.T) {
	t.Parallel()
	j, said := recording(t)
	now := time.Unix(1000, 0)
	for _, name := range []string{"a.csv", "b.csv"} {
		if _, _, err := j.Spot(t.Context(), upload.Sighting{Channel: upload.Flu, Filename: name, At: now}); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(most int) (retried bool) {
		before := len(said())
		c := journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "o", Lease: time.Minute, Now: now}
		if _, err := j.ClaimSome(t.Context(), c, most); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(said()[before:], func(q string) bool { return strings.Contains(q, "attempt > 0") })
	}
	if asked(1) {
		t.Error("asked for retried files, with two fresh ones there")
	}
	if !asked(2) {
		t.Error("did not ask for retried files, with one fresh one there")
	}
}

// A page behind a cursor is found, however far down the list it is: nothing before
// it is read.
func TestAPageBehindACursorIsFoundAndNotReadUpTo(t *testing.T) {
	t.Parallel()
	j, said := recording(t)
	exercise(t, j)
	pages := 0
	for _, q := range said() {
		if !strings.Contains(q, "ORDER BY spotted_at DESC, seq DESC") || !strings.Contains(q, "seq < ?") && !strings.Contains(q, "seq) < (?") {
			continue
		}
		pages++
		for _, line := range plan(t, j, q) {
			if !strings.Contains(line, "SEARCH uploads USING INDEX") || !strings.Contains(line, "spotted_at<?") {
				t.Errorf("%s\n%s", line, q)
			}
		}
	}
	if pages < 3 {
		t.Errorf("%d pages behind a cursor", pages)
	}
}

// recording opens a journal that remembers its statements.
func recording(t *testing.T) (*journal.Journal, func() []string) {
	t.Helper()
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
	var mu sync.Mutex
	var queries []string
	store.Dialect.Rebind = func(q string) string {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(queries, q) && !strings.HasPrefix(q, "INSERT") {
			queries = append(queries, q)
		}
		return q
	}
	j, err := journal.New(t.Context(), store, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(queries)
	}
}

func plan(t *testing.T, j *journal.Journal, query string) (lines []string) {
	t.Helper()
	rows, err := j.DB().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// exercise uses every method once, so that every statement is said.
func exercise(t *testing.T, j *journal.Journal) {
	t.Helper()
	ctx, now := t.Context(), time.Unix(1000, 0)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	x := upload.Examination{Digest: "sha-256:a", Findings: []upload.Finding{{Severity: upload.Error, Rule: "R"}}}
	ticket := upload.Ticket{Token: "t", Fate: upload.Maybe}
	u := bring(ctx, t, j, "flu_1.csv", now, func(earlier upload.Upload) []upload.Outcome {
		return []upload.Outcome{
			upload.Settled(earlier.Source), upload.Validated(x), upload.Packed(), upload.Sent(ticket, ""), upload.Failed(upload.ServerError, ""),
		}
	})
	adopter := bring(ctx, t, j, "flu_2.csv", now, func(upload.Upload) []upload.Outcome {
		return []upload.Outcome{
			upload.Settled(u.Source), upload.Validated(x), upload.PackedAdopting(u), upload.Sent(ticket, ""),
			upload.Decided(upload.Accepted, "", nil), upload.Retired(upload.Deleted, "", ""),
		}
	})
	_, _, err := j.Spot(ctx, upload.Sighting{Channel: upload.Flu, Filename: "flu_2.csv", At: now})
	must(err)
	_, _, err = j.NextDue(ctx, upload.Flu, upload.OpenStates())
	must(err)
	must(j.Touch(ctx, u.ID, now))
	must(j.TouchFile(ctx, upload.Flu, "flu_1.csv", now))
	_, err = j.WakeRetries(ctx, upload.Flu, now, upload.ServerError)
	must(err)
	must(j.ForgetLeases(ctx))
	_ = j.Renew(ctx, u, now) // the statement is what counts
	_ = j.Release(ctx, u)    // and here
	_, _, err = j.Holder(ctx, upload.Flu, "sha-256:none", "")
	must(err)
	_, err = j.EarlierTickets(ctx, upload.Flu, x.Digest)
	must(err)
	top, err := j.List(ctx, journal.Filter{}, "", 1)
	must(err)
	for _, f := range []journal.Filter{
		{}, {States: []upload.State{upload.StateFailed}}, {Verdicts: []upload.Verdict{upload.Rejected}}, {SpottedFrom: now, SpottedTo: now},
	} {
		_, err := j.List(ctx, f, "", 1)
		must(err)
		_, err = j.List(ctx, f, top.Next, 1)
		must(err)
	}
	_, err = j.Findings(ctx, u.ID, journal.FindingFilter{})
	must(err)
	_, err = j.Events(ctx, u.ID)
	must(err)
	_, err = j.EventsAfter(ctx, 0, 1)
	must(err)
	_, err = j.LastEvent(ctx)
	must(err)
	_, err = j.Backlog(ctx)
	must(err)
	_, err = j.LastAccepted(ctx)
	must(err)
	span := journal.Span{Begins: now, Ends: now.Add(time.Hour)}
	must(j.Accounts(ctx, journal.Filter{Channels: []upload.Channel{upload.Flu}, SpottedFrom: now, SpottedTo: now}, func(journal.Account) error { return nil }))
	_, err = j.CountDays(ctx, upload.Flu, []journal.Span{span, span})
	must(err)
	_, err = j.TimeStages(ctx, upload.Flu, span)
	must(err)
	_, err = j.CountRules(ctx, upload.Flu, span)
	must(err)
	_, err = j.Stored(ctx, upload.InArchive, now, "", 1)
	must(err)
	_, err = j.Act(ctx, u.ID, upload.Cancelled(), now)
	must(err)
	n, err := j.Prune(ctx, now.Add(time.Hour), 10)
	must(err)
	if _, err := j.Get(ctx, adopter.ID); n == 0 || err == nil {
		t.Fatal("nothing was pruned")
	}
	must(j.SaveChannel(ctx, journal.ChannelRecord{Channel: upload.Flu}))
	_, err = j.Channel(ctx, upload.Flu)
	must(err)
	must(j.SetMeta(ctx, "a", "b"))
	_, err = j.Meta(ctx, "a")
	must(err)
}

// bring spots a file and records the outcomes one after the other.
func bring(ctx context.Context, t *testing.T, j *journal.Journal, name string, now time.Time, way func(u upload.Upload) []upload.Outcome) upload.Upload {
	t.Helper()
	if _, _, err := j.Spot(ctx, upload.Sighting{Channel: upload.Flu, Filename: name, At: now}); err != nil {
		t.Fatal(err)
	}
	u, found, err := j.Claim(ctx, journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "o", Lease: time.Minute, Now: now})
	if err != nil || !found {
		t.Fatal(found, err)
	}
	for _, o := range way(u) {
		if u.State == upload.StatePacked {
			if err := j.KeepTicket(ctx, u, upload.Ticket{Token: "t"}, now); err != nil {
				t.Fatal(err)
			}
		}
		if u, err = j.Record(ctx, u, o, now, true); err != nil {
			t.Fatal(err)
		}
	}
	return u
}
