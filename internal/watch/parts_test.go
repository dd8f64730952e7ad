package watch

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

func TestNamesAreSorted(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ ignored, temporary bool }{
		"flu_1.csv":            {false, false},
		"flu_1.csv.tmp":        {true, true},
		"flu_1.CSV.PART":       {true, true},
		"flu_1.partial":        {true, true},
		"flu_1.csv.crdownload": {true, true},
		"~$flu_1.csv":          {true, true},
		".flu_1.csv":           {true, true},
		".tmp":                 {true, true},
		"flu_1.csv.ok":         {true, false},
		"flu_1.csv.done":       {true, false},
		".hqms-1.aside":        {true, false},
		"tmp":                  {false, false},
		"flu_tmp.csv":          {false, false},
	} {
		if ignored(name) != want.ignored || temporary(name) != want.temporary {
			t.Errorf("%s: ignored %t, temporary %t", name, ignored(name), temporary(name))
		}
	}
}

func TestNudgesAreSpacedAndTheLastOneComes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(4_000_000_000, 0)
		n := newNudges()
		var last, asked time.Time
		fired := 0
		fire := func() {
			for range n.fire(now) {
				if fired++; fired > 1 && now.Sub(last) < nudgeLeast {
					t.Fatalf("%v after the one before", now.Sub(last))
				}
				last = now
			}
		}
		events := rapid.IntRange(1, 60).Draw(t, "events")
		for range events {
			step := time.Duration(rapid.IntRange(0, 40).Draw(t, "ms")) * time.Millisecond
			for at := now.Add(step); now.Before(at); {
				now = now.Add(time.Millisecond)
				fire()
			}
			n.add("x", now, false)
			asked = now
			fire()
		}
		for !n.due().IsZero() {
			now = n.due()
			fire()
		}
		if last.Before(asked) {
			t.Fatal("the last one never came")
		}
		if last.Sub(asked) > nudgeMost {
			t.Fatalf("the last one came %v late", last.Sub(asked))
		}
	})
}

func TestNudgesGetRarerWhileTheyGoOn(t *testing.T) {
	t.Parallel()
	now, fired := time.Unix(4_000_000_000, 0), 0
	n := newNudges()
	for range 60_000 { // a close every millisecond for a minute
		now = now.Add(time.Millisecond)
		n.add("x", now, false)
		fired += len(n.fire(now))
	}
	if fired > 70 {
		t.Errorf("%d nudges in a minute", fired)
	}
	n.fire(n.due())
	now = now.Add(10 * time.Second)
	n.add("x", now, true)
	if len(n.fire(now)) != 1 {
		t.Error("after a rest the first nudge does not come at once")
	}
	if now = n.due(); len(n.fire(now)) != 1 {
		t.Error("the echo does not come")
	}
	n.fire(now.Add(time.Hour))
	n.add("y", now.Add(2*time.Hour), false)
	n.fire(now.Add(2 * time.Hour))
	if len(n.files) != 1 {
		t.Errorf("%d files are remembered", len(n.files))
	}
}

func TestQueueGivesTheOldestOnceEach(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		model := map[string]upload.Sighting{}
		for range rapid.IntRange(0, 50).Draw(t, "n") {
			name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "name")
			if rapid.IntRange(0, 4).Draw(t, "drop") == 0 {
				q.drop(name)
				delete(model, name)
				continue
			}
			s := upload.Sighting{Filename: name, Seen: upload.Identity{ModTime: rapid.Int64Range(0, 5).Draw(t, "mtime")}, BatchID: rapid.String().Draw(t, "batch"), Forced: rapid.Bool().Draw(t, "forced")}
			q.put(s)
			if was, ok := model[name]; ok {
				s.BatchID, s.Forced = was.BatchID, s.Forced || was.Forced
			}
			model[name] = s
		}
		last := int64(-1)
		for q.len() > 0 {
			s := q.pop()
			if diff := gocmp.Diff(model[s.Filename], s); diff != "" {
				t.Fatal(diff)
			}
			if s.Seen.ModTime < last {
				t.Fatalf("%d after %d", s.Seen.ModTime, last)
			}
			last = s.Seen.ModTime
			delete(model, s.Filename)
		}
		if len(model) > 0 {
			t.Fatalf("left: %v", model)
		}
	})
}

// The clock was set back by hours after the latest rescan: whatever it says of that, the
// next one comes by the steady clock.
func TestARescanIsBroughtForwardWhateverTheClockSaysOfTheLatest(t *testing.T) {
	t.Parallel()
	o := newOwner(New(Options{Channel: upload.Flu, Dir: newFakeDir(), Kinds: kinds, Ledger: newFakeLedger(), NoEvents: true, Rescan: time.Hour}))
	o.rescan(o.now())
	o.status.LastScan = o.status.LastScan.Add(8 * time.Hour)
	o.lost()
	if wait := o.rescanAt.Sub(o.now()); wait > time.Second {
		t.Errorf("the next rescan is in %s", wait)
	}
}
