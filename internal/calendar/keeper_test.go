package calendar

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// world is everything around a keeper; it outlives it.
type world struct {
	mu    sync.Mutex
	turn  sync.Mutex
	all   []Delivery
	notes map[string]string
	now   time.Time
	step  time.Duration // from look to look
	heard []string
	fail  error // of telling
	stop  int   // the note-th to be written fails: a crash between telling and noting; 0: none
	log   bytes.Buffer

	telling func()        // before anything is told; nil: nothing
	reached chan struct{} // hears of whoever takes a turn or tells; nil: nobody does
}

func newWorld(now time.Time) *world {
	return &world{notes: map[string]string{}, now: now, step: 10 * time.Minute}
}

func (w *world) Deliveries(_ context.Context, _ upload.Channel, kind upload.Kind, from, to time.Time) ([]Delivery, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []Delivery
	for _, d := range w.all {
		if d.Kind == kind && d.Spotted.After(from) && !d.Spotted.After(to) && !d.Spotted.After(w.now) {
			found = append(found, d)
		}
	}
	return found, nil
}

func (w *world) Meta(_ context.Context, key string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.notes[key], nil
}

func (w *world) SetMeta(_ context.Context, key, value string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop > 0 {
		if w.stop--; w.stop == 0 {
			return errors.New("crashed")
		}
	}
	w.notes[key] = value
	return nil
}

func (w *world) Turn(context.Context, string) (func(), error) {
	w.signal()
	w.turn.Lock()
	return w.turn.Unlock, nil
}

// signal tells the test that somebody wants to tell, or tells.
func (w *world) signal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reached != nil {
		w.reached <- struct{}{}
	}
}

func (w *world) Tell(_ context.Context, n Notice) error {
	w.signal()
	if w.telling != nil {
		w.telling()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	w.heard = append(w.heard, string(n.Event)+" "+string(n.Kind)+" "+n.Due.Add(8*time.Hour).Format("02 15:04"))
	return nil
}

func (w *world) keeper(t interface{ Fatal(...any) }, text string) *Keeper {
	return NewKeeper(Options{
		Channels: []Watched{{upload.Flu, plan(t, text)}}, Holidays: func() Holidays { return Holidays{} }, Zone: zone(t, "Asia/Shanghai"), Warn: time.Hour,
		Ledger: w, Notes: w, Teller: w, Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Now: func() time.Time { return w.now },
	})
}

// pass lets the time pass to a moment, with a look at each step; look may
// make a new keeper each time.
func (w *world) pass(t interface{ Fatal(...any) }, to time.Time, look func() *Keeper) {
	for ; !w.now.After(to); w.now = w.now.Add(w.step) {
		if err := look().Look(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	w.now = to
}

func TestEachTransitionIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		came []string
		want []string
	}{
		"on time":             {[]string{"22 23:00", "23 23:00", "24 07:00"}, nil},
		"shortly before":      {[]string{"23 08:30", "24 07:00"}, []string{"near flu 23 09:00", "restored flu 23 09:00"}},
		"late":                {[]string{"22 08:00", "23 10:00", "24 07:00"}, []string{"near flu 23 09:00", "missing flu 23 09:00", "restored flu 23 09:00"}},
		"left out":            {[]string{"22 08:00", "24 07:00"}, []string{"near flu 23 09:00", "missing flu 23 09:00", "restored flu 23 09:00"}},
		"two days of silence": {[]string{"24 10:00"}, []string{"near flu 23 09:00", "missing flu 23 09:00", "near flu 24 09:00", "missing flu 24 09:00", "restored flu 24 09:00"}},
	} {
		for _, restarts := range []bool{false, true} {
			w := newWorld(moment(t, "22 12:00"))
			for _, c := range tt.came {
				w.all = append(w.all, came(t, c))
			}
			k := w.keeper(t, "daily 09:00 flu")
			w.pass(t, moment(t, "24 20:00"), func() *Keeper {
				if restarts {
					return w.keeper(t, "daily 09:00 flu")
				}
				return k
			})
			if d := cmp.Diff(tt.want, w.heard); d != "" {
				t.Errorf("%s, restarts %v (-want +got):\n%s", name, restarts, d)
			}
		}
	}
}

func TestWhatIsUnderWayIsNotWarnedOfButMissingAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(moment(t, "22 12:00"))
	w.all = []Delivery{with(came(t, "23 07:00"), upload.StatePacked, "")}
	k := w.keeper(t, "daily 09:00 flu")
	w.pass(t, moment(t, "23 12:00"), func() *Keeper { return k })
	if d := cmp.Diff([]string{"missing flu 23 09:00"}, w.heard); d != "" {
		t.Error(d)
	}
	if !strings.Contains(w.log.String(), "under_way=1") {
		t.Errorf("log: %s", &w.log)
	}
}

func TestADeadlineBeforeTheBeginningIsNobodysFault(t *testing.T) {
	t.Parallel()
	w := newWorld(moment(t, "22 09:01"))
	k := w.keeper(t, "daily 09:00 flu; monthly 20 09:00 hqms")
	w.pass(t, moment(t, "22 20:00"), func() *Keeper { return k })
	if len(w.heard) > 0 {
		t.Errorf("heard %v", w.heard)
	}
}

func TestWhatCouldNotBeToldIsToldLater(t *testing.T) {
	t.Parallel()
	w := newWorld(moment(t, "22 12:00"))
	k := w.keeper(t, "daily 09:00 flu")
	w.pass(t, moment(t, "23 07:00"), func() *Keeper { return k })
	w.now, w.fail = moment(t, "23 09:10"), errors.New("no")
	if err := k.Look(t.Context()); err == nil {
		t.Error("nobody heard, and it is no error")
	}
	w.fail = nil
	w.pass(t, moment(t, "23 10:00"), func() *Keeper { return k })
	if d := cmp.Diff([]string{"missing flu 23 09:00"}, w.heard); d != "" {
		t.Error(d)
	}
}

// TestReplicasTellOnce lets a second replica look while the first one tells: it
// must wait for its turn, and find that all has been told.
func TestReplicasTellOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(moment(t, "22 12:00"))
	one, other := w.keeper(t, "daily 09:00 flu"), w.keeper(t, "daily 09:00 flu")
	if err := one.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.now = moment(t, "23 09:05")
	reached, ended := make(chan struct{}, 9), make(chan error, 1)
	var second sync.Once
	w.telling = func() {
		second.Do(func() {
			w.mu.Lock()
			w.reached = reached
			w.mu.Unlock()
			go func() { ended <- other.Look(context.Background()) }()
			<-reached
		})
	}
	if err := one.Look(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"missing flu 23 09:00"}, w.heard); d != "" {
		t.Error(d)
	}
}

// Whatever comes when, and wherever it is restarted: nothing is told twice but
// what a crash came in between of, and in the end what is missing was told.
func TestRestartsRepeatNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(moment(t, "16 12:00"))
		for _, h := range rapid.SliceOfN(rapid.IntRange(0, 4*24), 0, 6).Draw(t, "hours") {
			at := w.now.Add(time.Duration(h)*time.Hour + 7*time.Minute)
			w.all = append(w.all, Delivery{Kind: "flu", State: upload.StateRetired, Verdict: upload.Accepted, Spotted: at, Decided: at})
		}
		calm := &world{notes: map[string]string{}, now: w.now, all: w.all, step: time.Hour / 2}
		k := calm.keeper(t, "daily 09:00 flu")
		calm.pass(t, moment(t, "20 12:00"), func() *Keeper { return k })

		crashes := 0
		for ; !w.now.After(moment(t, "20 12:00")); w.now = w.now.Add(time.Hour / 2) {
			w.stop = rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "stop")
			before := len(w.heard)
			if err := w.keeper(t, "daily 09:00 flu").Look(context.Background()); err != nil && len(w.heard) > before {
				crashes += len(w.heard) - before
				w.heard = w.heard[:before] // told, and not noted: it is told once more
			}
			w.stop = 0
			if err := w.keeper(t, "daily 09:00 flu").Look(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(calm.heard, w.heard); d != "" {
			t.Fatalf("after %d crashes (-calm +crashing):\n%s", crashes, d)
		}
	})
}

func TestStandingsAndUrgency(t *testing.T) {
	t.Parallel()
	w := newWorld(moment(t, "22 12:00"))
	k := w.keeper(t, "daily 09:00 flu; monthly 30 09:00 hda")
	must := func() {
		t.Helper()
		if err := k.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	must()
	if k.Urgent(upload.Flu, "flu", 20*time.Hour) || !k.Urgent(upload.Flu, "flu", 21*time.Hour) || k.Urgent(upload.Flu, "lis", 1000*time.Hour) || k.Urgent(upload.HQMS, "flu", 1000*time.Hour) {
		t.Error("flu is due in 21 hours")
	}
	w.now = moment(t, "23 09:01")
	must()
	latest, ahead := k.Standings()
	if !k.Urgent(upload.Flu, "flu", 0) || len(latest) != 2 || latest[0].State != Late || len(ahead) != 2 || ahead[1].Day != "2026-11-30" {
		t.Errorf("flu is late: %+v %+v", latest, ahead)
	}
	w.all = []Delivery{came(t, "23 09:01")}
	must()
	if latest, _ := k.Standings(); k.Urgent(upload.Flu, "flu", 0) || latest[0].State != Arrived {
		t.Errorf("it came: %+v", latest)
	}
}

func TestExpectationsAreThoseOfTheSpan(t *testing.T) {
	t.Parallel()
	w := newWorld(moment(t, "10 12:00"))
	k := w.keeper(t, "daily 09:00 flu; monthly 20 09:00 hda")
	if err := k.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.all = []Delivery{came(t, "19 23:00"), came(t, "21 10:00")}
	w.now = moment(t, "22 12:00")
	midnight := func(s string) time.Time { return moment(t, s+" 00:00") }
	all, err := k.Expectations(t.Context(), "", "", midnight("20"), midnight("23"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, e.Day[8:]+" "+string(e.Kind)+" "+string(e.State))
	}
	if d := cmp.Diff([]string{"20 flu arrived", "20 hda late", "21 flu arrived", "22 flu late"}, got); d != "" {
		t.Error(d)
	}
	for what, n := range map[[2]string]int{{"flu", "hda"}: 1, {"flu", ""}: 4, {"hqms", ""}: 0, {"", "lis"}: 0} {
		some, err := k.Expectations(t.Context(), upload.Channel(what[0]), upload.Kind(what[1]), midnight("20"), midnight("23"))
		if err != nil || len(some) != n {
			t.Errorf("%v: %d, %v", what, len(some), err)
		}
	}
}

// A clock that was a month ahead has told of deadlines that are still to come.
func TestAClockThatWentBackKeepsNoDeadlineQuiet(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for title, first := range map[string]time.Time{"since before": begin, "since then": begin.AddDate(0, 1, 0)} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld(first)
			k := w.keeper(t, "daily 09:00 flu")
			look := func() *Keeper { return k }
			w.pass(t, first.Add(time.Hour), look)
			w.now = begin.AddDate(0, 1, 0)
			w.pass(t, w.now.Add(48*time.Hour), look)
			w.heard = nil
			w.now = begin.Add(2 * time.Hour)
			w.pass(t, w.now.Add(48*time.Hour), look)
			if got := strings.Join(w.heard, "; "); !strings.Contains(got, "missing flu 03 09:00") || !strings.Contains(got, "missing flu 04 09:00") || !strings.Contains(got, "near flu 03 09:00") {
				t.Errorf("heard %q", got)
			}
		})
	}
}
