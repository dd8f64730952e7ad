package pipeline

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestOneQuestionServesAllLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		p := build(m, way(), func(o *Options) { o.Concurrency = 8 })
		defer running(t, p)()
		synctest.Wait()
		m.mu.Lock()
		m.claims = 0
		m.mu.Unlock()
		const files = 8
		for i := range files {
			m.add(spotted(upload.ID(fmt.Sprint(i))))
		}
		p.Wake(upload.Flu)
		synctest.Wait()
		for i := range files {
			if u := m.get(upload.ID(fmt.Sprint(i))); u.State != upload.StateRetired {
				t.Errorf("%d is %s", i, u.State)
			}
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		// Three crews, each once for what is there and once to find no more, and
		// again at most for each of the seven that came to it one by one.
		if m.claims > 3*(files+1) {
			t.Errorf("the journal was asked %d times for %d files", m.claims, files)
		}
	})
}

func TestAnIdlePipelineAsksOncePerCrewAndInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		p := build(m, way(), func(o *Options) { o.Concurrency = 8 })
		defer running(t, p)()
		<-time.After(10 * time.Minute) // virtual
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if most := 3 * int(10*time.Minute/idleLook+2); m.claims > most {
			t.Errorf("asked %d times in ten idle minutes, want at most %d", m.claims, most)
		}
		if idle := time.Since(p.LastBeat()); idle > idleLook {
			t.Errorf("the last sign of life is %v ago", idle)
		}
	})
}

func TestAPipelineThatIsAloneAsksAgainOnlyWhenTheJournalHasChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var changes atomic.Int64
		var closed atomic.Bool
		stages := way()
		for i := range stages {
			if stages[i].From == upload.StateValidated { // its crew has others
				stages[i].Open = func(upload.Channel) bool { return !closed.Load() }
			}
		}
		p := build(m, stages, func(o *Options) { o.Moment = func() journal.Moment { return journal.MomentAfter(changes.Load()) } })
		defer running(t, p)()
		asked := func() int {
			synctest.Wait()
			m.mu.Lock()
			defer m.mu.Unlock()
			defer func() { m.claims = 0 }()
			return m.claims
		}
		<-time.After(time.Second) // virtual
		asked()
		<-time.After(mostRested * idleLook / 2) // virtual
		if n := asked(); n != 0 {
			t.Errorf("asked %d times, and nothing has changed", n)
		}
		if idle := time.Since(p.LastBeat()); idle > idleLook {
			t.Errorf("the last sign of life is %v ago", idle)
		}
		<-time.After(mostRested * idleLook) // virtual
		if n := asked(); n < 1 || n > 6 {
			t.Errorf("asked %d times in %v, whatever may be", n, mostRested*idleLook)
		}
		m.add(spotted("unheard of")) // by somebody who wakes nobody
		changes.Add(1)
		<-time.After(2 * idleLook) // virtual
		if u := m.get("unheard of"); u.State != upload.StateRetired {
			t.Errorf("after %v it is %s", 2*idleLook, u.State)
		}
		closed.Store(true)
		<-time.After(2 * idleLook) // virtual
		waiting := spotted("while closed")
		waiting.State = upload.StateValidated
		m.add(waiting)
		changes.Add(1)
		<-time.After(2 * idleLook) // virtual
		closed.Store(false)        // nor is that told
		<-time.After(2 * idleLook) // virtual
		if u := m.get("while closed"); u.State != upload.StateRetired {
			t.Errorf("after %v of being open it is %s", 2*idleLook, u.State)
		}
	})
}

func TestManyUploadsAtASlowServerAreAskedAboutTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		for i := range 1000 {
			u := spotted(upload.ID(fmt.Sprint(i)))
			u.State = upload.StateSent
			m.add(u)
		}
		var now, most atomic.Int32
		p := build(m, with(way(), Stage{Name: "confirm", From: upload.StateSent, Crew: Asking, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
			most.Store(max(most.Load(), now.Add(1)))
			<-time.After(time.Second) // virtual
			now.Add(-1)
			return upload.Decided(upload.Accepted, "", nil), nil
		}}))
		defer running(t, p)()
		<-time.After(time.Minute) // virtual
		m.add(spotted("new"))
		p.Wake(upload.Flu)
		<-time.After(time.Millisecond) // virtual
		if u := m.get("new"); u.State != upload.StateSent && u.State != upload.StateRetired {
			t.Errorf("while the server is slow, a new file is %s", u.State)
		}
		<-time.After(10 * time.Second) // virtual
		synctest.Wait()
		if u := m.get("999"); u.State != upload.StateRetired || most.Load() != leastAsking {
			t.Errorf("after 70 s the last is %s; %d were asked about at once", u.State, most.Load())
		}
	})
}

func TestALongStageIsASignOfLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		for i := range 2 { // as many as there are heavy lanes
			u := spotted(upload.ID(fmt.Sprint(i)))
			u.State = upload.StatePacked
			m.add(u)
		}
		p := build(m, with(way(), Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
			<-ctx.Done()
			return upload.Outcome{}, ctx.Err()
		}}))
		defer running(t, p)()
		<-time.After(time.Hour) // virtual
		synctest.Wait()
		if quiet := time.Since(p.LastBeat()); quiet > time.Minute {
			t.Errorf("both lanes upload for an hour, and the last sign of life is %v ago", quiet)
		}
	})
}

func TestSignsOfLifeAreOfOurOwnClockWhateverTheJournalsShows(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := build(newMemory(), way(), func(o *Options) { o.Now = func() time.Time { return time.Now().Add(ahead) } })
				defer running(t, p)()
				<-time.After(time.Minute) // virtual
				synctest.Wait()
				if quiet := time.Since(p.LastBeat()); quiet < 0 || quiet > idleLook {
					t.Errorf("the last sign of life is %v ago", quiet)
				}
			})
		})
	}
}

func TestWhatWasHandedToALaneThatEndsIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(spotted("a"), spotted("b"))
		p := build(m, way())
		c := p.crews[crewKey{upload.Flu, Light}]
		c.free.Add(2) // two lanes are out of work, one of which ends now
		if x := p.claim(t.Context(), c); x == nil || x.ID != "a" || !m.leased("b") {
			t.Fatal("the second was not claimed for the second lane")
		}
		p.dismissCrew(c)
		if m.leased("b") {
			t.Error("the second stays leased")
		}
	})
}
