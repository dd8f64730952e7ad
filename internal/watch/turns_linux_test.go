package watch

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// account is a directory that keeps account of what is listed and looked at, and may
// number its entries otherwise than the files are.
type account struct {
	Directory
	renumber uint64
	deaf     error // of Look

	mu             sync.Mutex
	listed, looked map[string]int
}

func (a *account) Look(name string) (upload.Identity, error) {
	if a.deaf != nil {
		return upload.Identity{}, a.deaf
	}
	return a.Directory.Look(name)
}

func (a *account) Each(sift func([]Entry) []Entry, visit func(Entry) error) error {
	a.listed, a.looked = map[string]int{}, map[string]int{}
	return a.Directory.Each(func(all []Entry) []Entry {
		for i := range all {
			name, look := strings.Clone(all[i].Name), all[i].look
			a.note(a.listed, name)
			all[i].Inode += a.renumber
			all[i].look = func(string) (upload.Identity, error) { a.note(a.looked, name); return look(name) }
		}
		return sift(all)
	}, visit)
}

func (a *account) note(in map[string]int, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	in[name]++
}

// accounted is trusting with an account.
func accounted(t *testing.T, n, looks int) (*owner, string, *account) {
	t.Helper()
	a := &account{}
	o, path := trusting(t, n, looks, func(d Directory) Directory { a.Directory = d; return a })
	return o, path, a
}

// Files of a directory that is large for the looks that a rescan may make.
const (
	large = 1000
	few   = 100
)

func TestEachNameIsReadAlwaysAndEachKnownFileLookedAtInTurn(t *testing.T) {
	t.Parallel()
	o, _, dir := accounted(t, large, few)
	looked := map[string]int{}
	for range rounds {
		o.rescan(time.Now())
		if len(dir.listed) != large || o.status.Ours != large {
			t.Fatalf("%d are listed, %d counted", len(dir.listed), o.status.Ours)
		}
		if got := len(dir.looked); got != o.status.Looked || got > large/2 {
			t.Errorf("%d are looked at, %d told", got, o.status.Looked)
		}
		for name, n := range dir.looked {
			looked[name] += n
		}
	}
	for i := range large {
		if n := looked[numbered(i)]; n != 1 {
			t.Fatalf("%s was looked at %d times", numbered(i), n)
		}
	}
	if o.pending.len() > 0 || len(o.known) != large {
		t.Errorf("%d pending, %d known", o.pending.len(), len(o.known))
	}
}

func TestNewGoneAndReplacedFilesAreFoundWithoutBeingLookedForByTurns(t *testing.T) {
	t.Parallel()
	o, path, _ := accounted(t, large, few)
	at := func(i int) string { return filepath.Join(path, numbered(i)) }
	for i := 0; i < 500; i += 10 {
		err := errors.Join(
			os.Remove(at(i)),
			os.Remove(at(i+1)), os.Mkdir(at(i+1), 0o700),
			os.Rename(at(i+2), at(i+3)), // one is gone, one replaced
			os.WriteFile(at(large+i), nil, 0o600),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	o.rescan(time.Now())
	told := o.learn()
	slices.Sort(told)
	var want []string
	for i := 0; i < 500; i += 10 {
		want = append(want, numbered(i+3), numbered(large+i))
	}
	slices.Sort(want)
	if diff := gocmp.Diff(want, told); diff != "" {
		t.Errorf("in line (-want +got):\n%s", diff)
	}
	if want := large - 3*50 + 50; len(o.known) != want || o.status.Ours != want || o.status.Unfit != 50 {
		t.Errorf("%d known, %d counted, %d unfit; want %d known", len(o.known), o.status.Ours, o.status.Unfit, want)
	}
}

// changeUnheard changes a known file by a name that it has in another directory, of
// which no watch of this one tells. It is not the next one's turn.
func changeUnheard(t *testing.T, o *owner, path string) string {
	t.Helper()
	next := o.round
	turn := next.take(len(o.known), o.opts.Looks)
	for i := range len(o.known) {
		name := numbered(i)
		if turn.count < places && turn.has(o.known[name].id.Inode) {
			continue
		}
		elsewhere := filepath.Join(t.TempDir(), "x")
		was := o.known[name].id
		err := errors.Join(os.Link(filepath.Join(path, name), elsewhere), os.WriteFile(elsewhere, []byte("changed"), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		if id, err := o.opts.Dir.Look(name); err != nil || id == was {
			t.Fatalf("%+v, %v", id, err)
		}
		return name
	}
	t.Fatal("it is everybody's turn")
	return ""
}

func TestChangeInPlaceThatIsNotHeardOfIsFoundWithinTheRounds(t *testing.T) {
	t.Parallel()
	o, path, _ := accounted(t, large, few)
	for begin := range rounds {
		name := changeUnheard(t, o, path)
		took := 1
		for o.rescan(time.Now()); o.pending.len() == 0; o.rescan(time.Now()) {
			if took++; took > rounds {
				t.Fatalf("not found by %d rescans", rounds)
			}
		}
		if took == 1 {
			t.Error("found although it was not its turn: the others were not looked at by turns")
		}
		if got := o.learn(); !slices.Equal(got, []string{name}) {
			t.Errorf("begun with %d: %v in line, want %s", begin, got, name)
		}
	}
}

func TestChangeInPlaceInASmallDirectoryIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	o, path, _ := accounted(t, few, few)
	name := changeUnheard(t, o, path)
	o.rescan(time.Now())
	if got := o.learn(); !slices.Equal(got, []string{name}) || o.status.Looked != few {
		t.Errorf("%v in line, want %s; %d were looked at", got, name, o.status.Looked)
	}
}

// Where what is heard cannot be trusted, all are looked at, and again as long as it
// cannot.
func TestAllAreLookedAtWhereEventsCannotBeTrusted(t *testing.T) {
	t.Parallel()
	for title, distrust := range map[string]func(o *owner, dir *account){
		"another machine may write":       func(o *owner, _ *account) { o.local = false },
		"network":                         func(o *owner, _ *account) { o.setEvents(EventsLocal, "") },
		"half of the watch is missing":    func(o *owner, _ *account) { o.setEvents(EventsOn, "no inotify left") },
		"self-test not made":              func(o *owner, _ *account) { o.setSelfTest(TestNone) },
		"self-test not over":              func(o *owner, _ *account) { o.setSelfTest(TestPending) },
		"self-test failed":                func(o *owner, _ *account) { o.setSelfTest(TestNoEvents) },
		"read-only":                       func(o *owner, _ *account) { o.setSelfTest(TestReadOnly) },
		"events off":                      func(o *owner, _ *account) { o.disarm(); o.opts.NoEvents = true },
		"the directory numbers by itself": func(_ *owner, dir *account) { dir.renumber = 1 << 40 },
		"uploads of all are open": func(o *owner, _ *account) {
			for _, f := range o.known {
				f.open, f.checked = true, o.age(o.now())
			}
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			o, path, dir := accounted(t, large, few)
			distrust(o, dir)
			for range 3 {
				o.rescan(time.Now())
				if o.status.Looked != large {
					t.Fatalf("%d are looked at", o.status.Looked)
				}
			}
			name := changeUnheard(t, o, path)
			o.rescan(time.Now())
			if got := o.learn(); !slices.Equal(got, []string{name}) {
				t.Errorf("%v in line, want %s", got, name)
			}
		})
	}
}

// After anything that may have cost an event, all are looked at once.
func TestAllAreLookedAtAfterSomethingMayHaveBeenMissed(t *testing.T) {
	t.Parallel()
	for title, miss := range map[string]func(t *testing.T, o *owner, path string, dir *account){
		"events were lost": func(_ *testing.T, o *owner, _ string, _ *account) { o.take(event{op: evLost}) },
		"the watch was set up anew": func(t *testing.T, o *owner, _ string, _ *account) {
			o.disarm()
			o.arm(o.now())
			o.passSelfTest(t)
		},
		"the directory was said to go": func(_ *testing.T, o *owner, _ string, _ *account) { o.take(event{op: evDirGone}) },
		"a file that was heard of cannot be looked at": func(_ *testing.T, o *owner, _ string, dir *account) {
			dir.deaf = errAway
			o.take(event{op: evTouched, name: numbered(7)})
			o.lookAtTouched(o.now())
			dir.deaf = nil
		},
		"a file in line cannot be looked at": func(t *testing.T, o *owner, _ string, dir *account) {
			o.enqueue(numbered(7), upload.Identity{}, o.now(), false)
			dir.deaf = errAway
			o.spotOldest(t.Context(), handful)
			dir.deaf = nil
		},
		"the directory could not be read": func(t *testing.T, o *owner, _ string, dir *account) {
			was := dir.Directory
			dir.Directory = broken{was}
			o.rescan(time.Now())
			dir.Directory = was
			if o.status.Reason == "" {
				t.Error("it could")
			}
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			o, path, dir := accounted(t, large, few)
			miss(t, o, path, dir)
			name := changeUnheard(t, o, path)
			o.rescan(time.Now())
			if got := o.learn(); o.status.Looked != large || !slices.Equal(got, []string{name}) {
				t.Errorf("%d are looked at; %v in line, want %s", o.status.Looked, got, name)
			}
			o.passSelfTest(t)
			if o.rescan(time.Now()); o.status.Looked > large/2 {
				t.Errorf("%d are looked at once it is made good", o.status.Looked)
			}
		})
	}
}

// broken is a directory that cannot be read.
type broken struct{ Directory }

func (broken) Each(func([]Entry) []Entry, func(Entry) error) error { return durable.ErrNoDir }

// Another directory in its place is looked at as one never seen, also where events
// came of the one before and its files are the same to the byte.
func TestAllAreLookedAtWhereTheDirectoryWasReplaced(t *testing.T) {
	t.Parallel()
	o, path, _ := accounted(t, large, few)
	if err := errors.Join(os.Rename(path, path+"-was"), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	for i := range large { // the very same files
		if err := os.Rename(filepath.Join(path+"-was", numbered(i)), filepath.Join(path, numbered(i))); err != nil {
			t.Fatal(err)
		}
	}
	o.rescan(time.Now())
	if o.status.Looked != large {
		t.Errorf("%d are looked at", o.status.Looked)
	}
}

// A file in line is looked at every time: it may be changing.
func TestFilesInLineAreLookedAtEveryTime(t *testing.T) {
	t.Parallel()
	o, path, dir := accounted(t, large, few)
	name := changeUnheard(t, o, path)
	o.enqueue(name, upload.Identity{}, o.now(), false)
	for i := range rounds {
		if o.rescan(time.Now()); dir.looked[name] == 0 {
			t.Fatalf("rescan %d does not look at it", i)
		}
	}
}

// An operator who asks is answered for every file as it is now.
func TestScanOnRequestLooksAtAll(t *testing.T) {
	t.Parallel()
	r := inRealDirectory(t, func(o *Options) { o.Looks = 1 })
	for i := range 50 {
		r.write(t, numbered(i), "x")
	}
	start(t, r.w)
	r.armed(t)
	r.ledger.await(t, patience, func(told []upload.Sighting) bool { return len(told) == 50 })
	for i := range 50 {
		elsewhere := filepath.Join(t.TempDir(), "x")
		if err := errors.Join(os.Link(r.file(numbered(i)), elsewhere), os.WriteFile(elsewhere, []byte("changed"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	r.ledger.forgetSightings()
	if _, err := r.w.Scan(t.Context(), Request{}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int64{}
	for _, s := range r.ledger.sightings() {
		seen[s.Filename] = s.Seen.Size
	}
	for i := range 50 {
		if seen[numbered(i)] != int64(len("changed")) {
			t.Errorf("%s was seen with %d bytes", numbered(i), seen[numbered(i)])
		}
	}
}

// What may not be skipped: each alone makes a file be looked at.
func TestOnlyWhatIsSettledAndTheSameIsSkipped(t *testing.T) {
	t.Parallel()
	const inode = 7
	for title, c := range map[string]struct {
		skipped bool
		change  func(f *file, e *Entry, s *scan)
	}{
		"nothing the matter":               {true, func(*file, *Entry, *scan) {}},
		"its turn":                         {false, func(_ *file, _ *Entry, s *scan) { s.turn = share{from: placeOf(inode), count: 1} }},
		"everybody's turn":                 {false, func(_ *file, _ *Entry, s *scan) { s.turn = all }},
		"another file":                     {false, func(_ *file, e *Entry, _ *scan) { e.Inode++ }},
		"no number in the directory":       {false, func(_ *file, e *Entry, _ *scan) { e.Inode = 0 }},
		"no number at all":                 {false, func(f *file, e *Entry, _ *scan) { f.id.Inode, e.Inode = 0, 0 }},
		"a directory with the same number": {false, func(_ *file, e *Entry, _ *scan) { e.Type = fs.ModeDir }},
		"an open upload":                   {false, func(f *file, _ *Entry, _ *scan) { f.open = true }},
		"in line":                          {false, func(f *file, _ *Entry, _ *scan) { f.waits = true }},
	} {
		f, e := &file{id: upload.Identity{Inode: inode}}, Entry{Inode: inode}
		s := &scan{turn: share{from: placeOf(inode) + 1, count: places - 1}}
		if c.change(f, &e, s); s.skips(f, &e) != c.skipped {
			t.Errorf("%s: skipped %t", title, !c.skipped)
		}
	}
}

// Files come and go between the rescans, by thousands: none that stays is left unlooked
// at for more rescans than are promised.
func TestNoFileIsLeftOutWhileTheDirectoryGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	o, path, dir := accounted(t, 300, few)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	since, made := map[string]int{}, 300 // rescans since each known file was looked at
	for range 6 * rounds {
		for range rnd.IntN(400) {
			made++
			if err := os.WriteFile(filepath.Join(path, numbered(made)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for name := range o.known {
			if rnd.IntN(7) == 0 {
				if err := os.Remove(filepath.Join(path, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		o.rescan(time.Now())
		for name := range o.known {
			if since[name]++; dir.looked[name] > 0 {
				since[name] = 0
			} else if since[name] >= rounds {
				t.Fatalf("%s was not looked at in %d rescans", name, since[name])
			}
		}
		for _, name := range o.learn() {
			since[name] = 0
		}
	}
}

func TestEachPlaceHasItsTurnInAnyRounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var ring turns
		var last [places]int
		for i := range rapid.IntRange(1, 100).Draw(t, "rescans") {
			known, most := rapid.IntRange(0, 2_000_000).Draw(t, "known"), rapid.IntRange(1, 100_000).Draw(t, "looks")
			s, count := ring.take(known, most), 0
			for inode := uint64(0); inode < 16*5000; inode += 16 {
				p := placeOf(inode)
				if s.has(inode) {
					last[p] = i + 1
				}
			}
			for p := range last {
				if last[p] == i+1 {
					count++
				}
				if i+1-last[p] >= rounds {
					t.Fatalf("place %d: rescan %d was the last of %d to look", p, last[p], i+1)
				}
			}
			if known <= most && count != places || count*known/places > max(most, known/rounds) {
				t.Fatalf("of %d files, %d places are looked at, where %d looks are enough", known, count, most)
			}
		}
	})
}

func TestWhatIsKnownOfAFileFitsIntoOneLineOfTheCache(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(file{}); size > 64 {
		t.Errorf("%d bytes", size)
	}
}

func TestFilesAreSpreadOverThePlaces(t *testing.T) {
	t.Parallel()
	for _, every := range []uint64{1, 2, 3, 7, 16, 24, 64, 100, 256, 4096} {
		var have [places]int
		for i := range uint64(100_000) {
			have[placeOf(1<<20+i*every)]++
		}
		if most, least := slices.Max(have[:]), slices.Min(have[:]); most > 2*100_000/places || least < 100_000/places/2 {
			t.Errorf("every %dth inode: %d to %d in a place", every, least, most)
		}
	}
}
