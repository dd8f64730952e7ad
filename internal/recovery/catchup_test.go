package recovery_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/recovery"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// sent is the n-th upload, sent n minutes after the start.
func sent(n int) (upload.Upload, time.Time) {
	at := start.Add(time.Duration(n) * time.Minute)
	u := packed()
	u.ID, u.Filename, u.Digest, u.UpdatedAt = upload.NewID(at), fmt.Sprintf("flu_%d.csv", n), fmt.Sprintf("sha-256:%064d", n), at
	u.ContentKey = u.Digest
	return u, at
}

// counted counts what is offered to a journal.
type counted struct {
	rows
	offered int
}

func (c *counted) Readmit(ctx context.Context, all []upload.Upload, now time.Time) (int, error) {
	c.offered += len(all)
	return c.rows.Readmit(ctx, all, now)
}

func (p *place) catchUp(journal recovery.Ledger, now time.Time) int {
	p.t.Helper()
	n, err := recovery.CatchUp(p.t.Context(), journal, p.log, start.Add(-time.Hour), now)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// A journal put back from an older copy knows nothing of what was sent since, in
// whichever month that was, and however much it was.
func TestAnOlderJournalIsBroughtUpFromWhereItEnds(t *testing.T) {
	t.Parallel()
	const minutesOfMarch = 31*24*60 - 8*60
	for title, c := range map[string]struct {
		known, first, last int  // uploads that the journal knows, and that were sent in all
		stray              bool // a clock set ahead has left a file of a month to come
	}{
		"a few":                              {known: 90, last: 100},
		"more than a piece":                  {known: 100, last: 1600},
		"all of it":                          {known: 0, last: 1300},
		"over the end of a month":            {known: minutesOfMarch - 20, first: minutesOfMarch - 40, last: minutesOfMarch + 3},
		"a month of which nothing was known": {known: minutesOfMarch - 700, first: minutesOfMarch - 1000, last: minutesOfMarch + 800},
		"a month to come by a wrong clock":   {known: 90, last: 100, stray: true},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			p, journal := newPlace(t), rows{}
			var (
				now    time.Time
				latest upload.Upload // that the journal knows
			)
			for n := c.first; n < c.last; n++ {
				u, at := sent(n)
				p.keep(u, at)
				if n < c.known {
					journal[u.ID], latest = u, u
				}
				now = at
			}
			if c.stray {
				latest.UpdatedAt = latest.UpdatedAt.AddDate(70, 0, 0)
				p.keep(latest, latest.UpdatedAt)
				journal[latest.ID] = latest
			}
			if got, want := p.catchUp(journal, now), c.last-c.known; got != want {
				t.Errorf("%d rows brought up, want %d", got, want)
			}
			if got, want := len(journal), c.last-c.first; got != want {
				t.Errorf("%d uploads known, want %d", got, want)
			}
		})
	}
}

func TestAnOrdinaryStartComparesTheEndOfTheLogAlone(t *testing.T) {
	t.Parallel()
	p, journal := newPlace(t), &counted{rows: rows{}}
	var now time.Time
	for n := range 3000 {
		u, at := sent(n)
		p.keep(u, at)
		journal.rows[u.ID], now = u, at
	}
	if got := p.catchUp(journal, now); got != 0 || journal.offered == 0 || journal.offered > 1500 {
		t.Errorf("%d rows brought up, %d offered; want none of some hundreds", got, journal.offered)
	}
}
