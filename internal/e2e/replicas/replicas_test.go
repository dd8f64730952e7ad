package replicas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/process"
)

// The size of a run: the short form, unless the environment says otherwise.
func number(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

func TestNothingIsLostAndNothingAcceptedTwiceWhileReplicasAndDatabaseDie(t *testing.T) {
	t.Parallel()
	files := int(number("HQMS_REPLICAS_FILES", 200))
	seed := number("HQMS_REPLICAS_SEED", uint64(time.Now().UnixNano()))
	t.Logf("seed %d: HQMS_REPLICAS_SEED=%d strikes in the same order", seed, seed)
	s := &storm{world: newWorld(t, 2*time.Second), rand: rand.New(rand.NewPCG(seed, 1))}
	began := time.Now()
	for range 4 {
		s.replicas = append(s.replicas, s.launch())
	}
	for _, r := range s.replicas {
		s.ready(r)
	}
	ctx, calm := context.WithCancel(t.Context())
	defer calm()
	var going sync.WaitGroup
	going.Go(func() { s.follow(t.Context(), ctx) })
	digests := make(map[string]string, files)
	going.Go(func() {
		for ctx.Err() == nil {
			s.strike(ctx)
		}
	})
	for i := range files {
		name := fmt.Sprintf("flu_%05d.csv", i)
		digests[s.drop(name, seed+uint64(i))] = name
		if i%20 == 19 {
			pause(ctx, 100*time.Millisecond)
		}
	}
	// The storm goes on until three quarters are through, then it must end by itself.
	limit := 4*patience + time.Duration(files)*500*time.Millisecond
	process.Eventually(t, limit, "most files come to their end in the storm", func() bool {
		n, err := s.count(`SELECT count(*) FROM uploads WHERE state = 'retired'`)
		return err == nil && n >= files*3/4
	})
	calm()
	going.Wait()
	process.Eventually(t, limit, "all files come to their end", func() bool {
		n, err := s.count(`SELECT count(*) FROM uploads WHERE state = 'retired' AND verdict = 'accepted'`)
		open, errOpen := s.count(`SELECT count(*) FROM uploads WHERE finished_at IS NULL`)
		return err == nil && errOpen == nil && n >= files && open == 0
	})
	t.Logf("%d files, %d kills, %d restarts of the database (%s away in all), %d take-overs, the longest after %s, in %s",
		files, s.kills, s.restarts, s.away.Round(time.Millisecond), len(s.takeovers), s.longest().Round(time.Millisecond), time.Since(began).Round(time.Second))
	s.judge(digests)
}

// storm kills replicas and restarts the database.
type storm struct {
	*world
	rand     *rand.Rand
	replicas []*replica
	kills    int
	restarts int
	away     time.Duration
	steps    int // of all uploads, when the last strike came

	mu        sync.Mutex
	orphans   []orphan
	takeovers []time.Duration
	outages   []outage
}

// outage is a time in which the database was not there.
type outage struct{ from, to time.Time }

// strike waits a while and does one bad thing. A machine on which a replica takes
// longer to start than the next strike takes to come gets more time: else nothing
// would be shown but that nobody works who is always killed.
func (s *storm) strike(ctx context.Context) {
	pause(ctx, time.Duration(150+s.rand.IntN(600))*time.Millisecond)
	s.seeProgress(ctx)
	if ctx.Err() != nil {
		return
	}
	if s.rand.IntN(8) == 0 {
		s.restartDatabase(ctx)
		return
	}
	i := s.rand.IntN(len(s.replicas))
	s.replicas[i].Kill()
	s.noteOrphans(s.replicas[i].PID())
	s.kills++
	pause(ctx, time.Duration(s.rand.IntN(400))*time.Millisecond)
	s.replicas[i] = s.launch()
}

// progress is how many steps of uploads lie between strikes at least: as many as
// one file takes. What takes longer than waitProgress is struck again all the same.
const (
	progress     = 8
	waitProgress = 15 * time.Second
)

// seeProgress waits until uploads have moved on since it was called last.
func (s *storm) seeProgress(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, waitProgress)
	defer cancel()
	for ctx.Err() == nil {
		if n, err := s.count(`SELECT coalesce(max(seq), 0) FROM events`); err == nil && n >= s.steps+progress {
			s.steps = n
			return
		}
		pause(ctx, 50*time.Millisecond)
	}
}

func (s *storm) restartDatabase(ctx context.Context) {
	from := time.Now()
	if err := s.pg.Down(context.WithoutCancel(ctx), s.rand.IntN(2) == 0); err != nil {
		s.t.Error(err)
	}
	pause(ctx, time.Duration(s.rand.IntN(1500))*time.Millisecond)
	if err := s.pg.Up(context.WithoutCancel(ctx)); err != nil {
		s.t.Error(err)
	}
	s.restarts++
	s.away += time.Since(from)
	s.mu.Lock()
	s.outages = append(s.outages, outage{from, time.Now()})
	s.mu.Unlock()
}

// orphan is an upload whose worker was killed.
type orphan struct {
	id    string
	fence int64
	since time.Time
}

// noteOrphans notes what the killed process held.
func (s *storm) noteOrphans(pid int) {
	host, _ := os.Hostname()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	rows, err := s.journal.DB().QueryContext(ctx, `SELECT id, fence FROM uploads WHERE lease_owner LIKE $1`, fmt.Sprintf("%s/%d/%%", host, pid))
	if err != nil {
		return
	}
	defer rows.Close()
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for rows.Next() {
		o := orphan{since: now}
		if rows.Scan(&o.id, &o.fence) == nil {
			s.orphans = append(s.orphans, o)
		}
	}
}

// follow sees orphans taken over, until all are and the storm is over.
func (s *storm) follow(ctx, stormy context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		waiting := append([]orphan(nil), s.orphans...)
		s.mu.Unlock()
		if len(waiting) == 0 && stormy.Err() != nil {
			return
		}
		for _, o := range waiting {
			var fence int64
			if s.journal.DB().QueryRowContext(ctx, `SELECT fence FROM uploads WHERE id = $1`, o.id).Scan(&fence) == nil && fence > o.fence {
				s.taken(o, time.Now())
			}
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func (s *storm) taken(o orphan, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.orphans {
		if s.orphans[i] == o {
			s.orphans = append(s.orphans[:i], s.orphans[i+1:]...)
			break
		}
	}
	for _, out := range s.outages {
		if out.to.After(o.since) && out.from.Before(at) {
			return // nobody could take anything over then
		}
	}
	s.takeovers = append(s.takeovers, at.Sub(o.since))
}

func (s *storm) longest() (d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.takeovers {
		d = max(d, t)
	}
	return d
}

// judge holds server, disk and journal against what was dropped.
func (s *storm) judge(digests map[string]string) {
	s.t.Helper()
	arrived, archived := s.arrivals(), stored(s.t, filepath.Join(s.state, "archive"))
	again := 0
	for digest, name := range digests {
		if n := arrived[digest].Accepted; n != 1 {
			s.t.Errorf("%s was accepted %d times", name, n)
		}
		if arrived[digest].Received > 1 {
			again++
		}
		if archived[digest] != 1 {
			s.t.Errorf("%s is %d times in the archive", name, archived[digest])
		}
	}
	if len(arrived) != len(digests) || len(archived) != len(digests) {
		s.t.Errorf("%d contents at the server, %d in the archive, want %d", len(arrived), len(archived), len(digests))
	}
	if left := stored(s.t, s.watch); len(left) > 0 {
		s.t.Errorf("%d files left in the watched directory", len(left))
	}
	if left := stored(s.t, filepath.Join(s.state, "spool")); len(left) > 0 {
		s.t.Errorf("%d files left in the spool", len(left))
	}
	other, err := s.count(`SELECT count(*) FROM uploads WHERE NOT (state = 'retired' AND verdict = 'accepted')`)
	if err != nil {
		s.t.Error(err)
	}
	s.t.Logf("%d contents received more than once (and accepted once); %d rows of the journal ended otherwise", again, other)
}
