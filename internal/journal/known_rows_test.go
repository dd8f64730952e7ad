package journal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var now = time.Unix(1000, 0).UTC()

// ledger is a journal with some uploads under a lease.
type ledger struct {
	*journal.Journal
	t *testing.T
}

func (l ledger) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// settled gives an upload under a lease.
func (l ledger) settled(name string) upload.Upload {
	l.t.Helper()
	_, _, err := l.Spot(l.t.Context(), upload.Sighting{Channel: upload.Flu, Filename: name, At: now, Complete: true})
	l.must(err)
	return l.claimed()
}

// claimed gives an upload that was not under a lease.
func (l ledger) claimed() upload.Upload {
	l.t.Helper()
	u, _, err := l.Claim(l.t.Context(), journal.Claim{Channel: upload.Flu, States: upload.OpenStates(), Owner: "test", Lease: time.Minute, Now: now})
	l.must(err)
	return u
}

// leased gives an upload of a content, packed and under a lease.
func (l ledger) leased(name, content string) upload.Upload {
	l.t.Helper()
	u, err := l.RecordAll(l.t.Context(), l.settled(name), []upload.Outcome{upload.Validated(upload.Examination{Digest: "sha-256:" + content}), upload.Packed()}, now, true)
	l.must(err)
	return u
}

// agrees reports how many rows are known, and fails where one reads otherwise.
func (l ledger) agrees(after string) int {
	l.t.Helper()
	all := l.Known()
	for u, leased := range all {
		row, err := l.Get(l.t.Context(), u.ID)
		l.must(err)
		var owned bool
		l.must(l.DB().QueryRowContext(l.t.Context(), `SELECT fence, lease_owner IS NOT NULL FROM uploads WHERE id = ?`, u.ID).Scan(&row.Fence, &owned))
		if diff := cmp.Diff(row, u); diff != "" {
			l.t.Errorf("after %s the row reads otherwise than it is known (-row +known):\n%s", after, diff)
		}
		if owned != leased {
			l.t.Errorf("after %s: under a lease %v, known as %v", after, owned, leased)
		}
	}
	return len(all)
}

func TestARowKnownReadsAsItIsInTheDatabase(t *testing.T) {
	t.Parallel()
	ticket := upload.Ticket{Token: "t", URL: "http://x", IssuedAt: now.Add(time.Second), Fate: upload.Untouched}
	for name, c := range map[string]struct {
		do    func(l ledger, u upload.Upload) error
		known int // of two rows
		err   error
	}{
		"nothing": {func(ledger, upload.Upload) error { return nil }, 2, nil},
		"keep ticket": {func(l ledger, u upload.Upload) error {
			u.PackedSize, u.PackedDigest = 7, "sha-256:p"
			return l.KeepTicket(l.t.Context(), u, ticket, now.Add(time.Hour))
		}, 2, nil},
		"a hold, waiting, and all woken": {func(l ledger, u upload.Upload) error {
			if _, err := l.Record(l.t.Context(), u, upload.Hold(time.Hour, upload.SpoolFull, ""), now, true); err != nil {
				return err
			}
			_, err := l.WakeRetries(l.t.Context(), upload.Flu, now.Add(time.Second))
			return err
		}, 0, nil},
		"a hold, waiting, and the clock set back": {func(l ledger, u upload.Upload) error {
			if _, err := l.Record(l.t.Context(), u, upload.Hold(time.Hour, upload.SpoolFull, ""), now.Add(24*time.Hour), true); err != nil {
				return err
			}
			_, err := l.WakeFuture(l.t.Context(), upload.Flu, now)
			return err
		}, 0, nil},
		"act": {func(l ledger, u upload.Upload) error {
			_, err := l.Act(l.t.Context(), u.ID, upload.Cancelled(), now)
			return err
		}, 1, nil},
		"renewal": {func(l ledger, u upload.Upload) error { return l.Renew(l.t.Context(), u, now.Add(time.Hour)) }, 1, nil},
		"release": {func(l ledger, u upload.Upload) error { return l.Release(l.t.Context(), u) }, 1, nil},
		"the end of the lease": {func(l ledger, u upload.Upload) error {
			_, err := l.Record(l.t.Context(), u, upload.Sent(ticket, ""), now, false)
			return err
		}, 2, nil},
		"a claim after it": {func(l ledger, u upload.Upload) error {
			if _, err := l.Record(l.t.Context(), u, upload.Sent(ticket, ""), now, false); err != nil {
				return err
			}
			again := l.claimed()
			row, err := l.Get(l.t.Context(), u.ID)
			row.Fence = u.Fence + 1
			if diff := cmp.Diff(row, again); diff != "" {
				l.t.Errorf("claimed (-row +claimed):\n%s", diff)
			}
			return err
		}, 2, nil},
		"its end": {func(l ledger, u upload.Upload) error {
			_, err := l.Record(l.t.Context(), u, upload.Failed(upload.ServerError, ""), now, false)
			return err
		}, 1, nil},
		"findings": {func(l ledger, u upload.Upload) error {
			return l.AddFindings(l.t.Context(), u.ID, []upload.Finding{{Severity: upload.Warning, Rule: "r"}}, now)
		}, 1, nil},
		"leases forgotten": {func(l ledger, _ upload.Upload) error { return l.ForgetLeases(l.t.Context()) }, 0, nil},
		"another's content": {func(l ledger, _ upload.Upload) error {
			_, err := l.DB().ExecContext(l.t.Context(), `INSERT INTO delivered VALUES ('flu', 'sha-256:d', 'earlier', 'accepted', 0)`)
			l.must(err)
			w := l.settled("d.csv")
			_, err = l.RecordAll(l.t.Context(), w, []upload.Outcome{upload.Validated(upload.Examination{Digest: "sha-256:d"}), upload.Packed()}, now, true)
			return err
		}, 0, journal.ErrContentTaken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, err := sqlite.Open(t.Context(), t.TempDir(), journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = j.Close() })
			l := ledger{j, t}
			u := l.leased("a.csv", "a")
			l.leased("b.csv", "b")
			if err := c.do(l, u); !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			if n := l.agrees(name); n != c.known {
				t.Errorf("%d rows are known, want %d", n, c.known)
			}
		})
	}
}
