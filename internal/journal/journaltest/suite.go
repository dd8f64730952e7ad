package journaltest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Open makes an empty journal, with the hook of the options in place, and closes
// it when the test ends.
type Open func(t testing.TB, o journal.Options) *journal.Journal

// Run proves that the journals that open makes keep the contract.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, group := range []map[string]func(*fixture){spotting, leasing, recording, contents, listing, keeping, watching, readmitting, reporting, alerting} {
		for name, check := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				check(newFixture(t, open))
			})
		}
	}
	t.Run("law", func(t *testing.T) {
		t.Parallel()
		runLaws(t, open)
	})
	t.Run("random walk agrees with the model", func(t *testing.T) {
		t.Parallel()
		walk(t, open(t, journal.Options{}))
	})
	t.Run("hook stops each operation", func(t *testing.T) {
		t.Parallel()
		runHooks(t, open)
	})
}

// fixture is one empty journal, a clock that stands, and short words.
type fixture struct {
	testing.TB
	ctx  context.Context //nolint:containedctx // the test's own, as long as the fixture
	j    *journal.Journal
	open Open
	now  time.Time
}

func newFixture(t testing.TB, open Open) *fixture {
	return &fixture{
		TB: t, ctx: t.Context(), j: open(t, journal.Options{}), open: open,
		now: time.Date(2026, 3, 1, 8, 0, 0, 123456789, time.UTC),
	}
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// later moves the clock, so that what comes is told from what was.
func (f *fixture) later(d time.Duration) { f.now = f.now.Add(d) }

func (f *fixture) sighting(name string) upload.Sighting {
	return upload.Sighting{
		Channel: upload.Flu, Kind: "flu", Filename: name, BatchID: upload.NewUUID(f.now), At: f.now,
		Seen: upload.Identity{Inode: 1<<63 + 7, Size: 1000, ModTime: 1_700_000_000_123_456_789, ChangeTime: 5},
	}
}

func (f *fixture) spot(name string) upload.Upload {
	f.Helper()
	u, spotting, err := f.j.Spot(f.ctx, f.sighting(name))
	f.must(err)
	f.same("spotting of "+name, spotting, upload.Began)
	return u
}

// spotKind is spot for another kind than flu.
func (f *fixture) spotKind(name string, kind upload.Kind) upload.Upload {
	f.Helper()
	s := f.sighting(name)
	s.Kind = kind
	u, spotting, err := f.j.Spot(f.ctx, s)
	f.must(err)
	f.same("spotting of "+name, spotting, upload.Began)
	return u
}

// claim takes the next upload in one of the states (none: any open one).
func (f *fixture) claim(states ...upload.State) (upload.Upload, bool) {
	f.Helper()
	if len(states) == 0 {
		states = upload.OpenStates()
	}
	u, found, err := f.j.Claim(f.ctx, journal.Claim{Channel: upload.Flu, States: states, Owner: "one", Lease: time.Minute, Now: f.now})
	f.must(err)
	return u, found
}

func (f *fixture) mustClaim(id upload.ID) upload.Upload {
	f.Helper()
	u, found := f.claim()
	if !found || u.ID != id {
		f.Fatalf("claimed %q (%v), want %q", u.ID, found, id)
	}
	return u
}

func (f *fixture) record(u upload.Upload, o upload.Outcome, keep bool) upload.Upload {
	f.Helper()
	after, err := f.j.Record(f.ctx, u, o, f.now, keep)
	f.must(err)
	return after
}

// bring spots a file of the content and takes it to the state, the lease kept
// while it is open.
func (f *fixture) bring(name, digest string, to upload.State) upload.Upload {
	f.Helper()
	f.spot(name)
	u, found := f.claim(upload.StateSpotted)
	if !found || u.Filename != name {
		f.Fatalf("claimed %q, want %q", u.Filename, name)
	}
	return f.advance(u, digest, to)
}

// advance takes a claimed upload to the state, the usual way.
func (f *fixture) advance(u upload.Upload, digest string, to upload.State) upload.Upload {
	f.Helper()
	ticket := upload.Ticket{Token: "token-of-" + u.Filename, IssuedAt: f.now, Fate: upload.Untouched}
	for u.State != to {
		switch u.State {
		case upload.StateSpotted:
			u = f.record(u, upload.Settled(u.Source), true)
		case upload.StateSettled:
			u = f.record(u, upload.Validated(examination(digest)), true)
		case upload.StateValidated:
			u = f.record(u, upload.Packed(), true)
		case upload.StatePacked:
			f.must(f.j.KeepTicket(f.ctx, u, ticket, f.now))
			ticket.Fate = upload.Answered
			u = f.record(u, upload.Sent(ticket, ""), true)
		case upload.StateSent:
			u = f.record(u, upload.Decided(upload.Accepted, "", aReceipt(f.now)), true)
		case upload.StateDecided:
			u = f.record(u, upload.Retired(upload.InArchive, "archive/flu/"+u.Filename, ""), true)
		default:
			f.Fatalf("no way from %s to %s", u.State, to)
		}
	}
	return u
}

func digest(of string) string { return "sha-256:" + of }

func examination(digest string) upload.Examination {
	return upload.Examination{
		Digest: digest, Size: 1000, Rows: 12, Charset: "gb18030", Standard: "flu-2.6", PackedSize: 200, PackedDigest: "sha-256:packed",
		Tally: upload.Tally{Error: 1, Warning: 2},
		Findings: []upload.Finding{
			{Severity: upload.Error, Rule: "COL-REQUIRED", Row: 3, Column: "P7506", Params: map[string]string{"expected": "yyyy-MM-dd"}},
			{Severity: upload.Warning, Rule: "FILE-HEADER"},
		},
	}
}

func aReceipt(now time.Time) *upload.Receipt {
	return &upload.Receipt{
		ServerID: "123", Status: "4", Message: "服务器的话", LoadedAt: "2026-03-01", At: now, Stack: "at line 1",
		Grades: &upload.Grades{Storing: 12, Stocked: 12, Total: 12, Grade: 1},
	}
}
