package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// These tests run without events, in a bubble with a clock of its own: all that
// is found is found by the rescan.

type bench struct {
	dir    *fakeDir
	ledger *fakeLedger
	w      *Watcher
	began  []string
	nudged []string
}

const rescanEvery = 30 * time.Second

// inBubble runs a test with a running watcher over the given files.
func inBubble(t *testing.T, files []string, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{dir: newFakeDir(), ledger: newFakeLedger()}
		for i, name := range files {
			b.dir.set(name, int64(len(files)-i))
		}
		b.w = New(Options{
			Channel: upload.Flu, Dir: b.dir, Kinds: kinds, Ledger: b.ledger, Rescan: rescanEvery, NoEvents: true,
			Began: func(u upload.Upload) { b.began = append(b.began, u.Filename) },
			Nudge: func(_ upload.Channel, name string) { b.nudged = append(b.nudged, name) },
		})
		stop := start(t, b.w)
		synctest.Wait()
		test(t, b)
		stop()
	})
}

// pass lets time pass, and everything happen that is due in it.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
	synctest.Wait()
}

func (b *bench) wantTold(t *testing.T, names ...string) {
	t.Helper()
	if diff := gocmp.Diff(names, b.ledger.names()); diff != "" {
		t.Errorf("told of (-want +got):\n%s", diff)
	}
}

func TestFilesThereAtStartAreOneBatchOldestFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"flu_c.csv", "flu_a.csv", "FLU_B.CSV"}, func(t *testing.T, b *bench) {
		b.wantTold(t, "FLU_B.CSV", "flu_a.csv", "flu_c.csv")
		told := b.ledger.sightings()
		if told[0].BatchID == "" || told[0].BatchID != told[1].BatchID || told[1].BatchID != told[2].BatchID {
			t.Errorf("batches differ: %+v", told)
		}
		if told[0].Channel != upload.Flu || told[0].Kind != "flu" || told[0].Seen.ModTime != 1 || told[0].At.Location() != time.UTC {
			t.Errorf("sighting is %+v", told[0])
		}
		if diff := gocmp.Diff([]string{"FLU_B.CSV", "flu_a.csv", "flu_c.csv"}, b.began); diff != "" {
			t.Errorf("uploads that began (-want +got):\n%s", diff)
		}
		b.dir.set("flu_d.csv", 9)
		pass(t, rescanEvery)
		if told := b.ledger.sightings(); len(told) != 4 || told[3].BatchID == told[0].BatchID {
			t.Errorf("a file found later belongs to the batch of the first ones: %+v", told)
		}
	})
}

func TestRescanAsksOnlyAboutWhatChanged(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"flu_a.csv", "flu_b.csv"}, func(t *testing.T, b *bench) {
		for _, name := range []string{"flu_a.csv", "flu_b.csv"} { // dealt with, and kept
			b.ledger.end(name, upload.StateRetired, b.dir.files[name])
			b.w.Released(name)
		}
		pass(t, time.Second)
		b.ledger.forgetSightings()
		pass(t, 100*rescanEvery)
		b.wantTold(t)
		b.dir.set("flu_b.csv", 5)
		pass(t, rescanEvery)
		b.wantTold(t, "flu_b.csv")
		if b.ledger.count != 3 {
			t.Errorf("%d uploads, want 3", b.ledger.count)
		}
	})
}

func TestFileOfOpenUploadIsAskedAboutNowAndThen(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"flu_a.csv"}, func(t *testing.T, b *bench) {
		pass(t, (recheckAfter-1)*rescanEvery)
		b.wantTold(t, "flu_a.csv")
		// another replica ends the upload, and nobody tells us
		b.ledger.end("flu_a.csv", upload.StateSuperseded, upload.Identity{})
		pass(t, 2*rescanEvery)
		b.wantTold(t, "flu_a.csv", "flu_a.csv")
		if b.ledger.count != 2 {
			t.Error("the file was not taken again")
		}
	})
}

func TestJournalAwayLosesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, b *bench) {
		b.ledger.setAway(errAway)
		b.dir.set("flu_a.csv", 2)
		b.dir.set("flu_b.csv", 1)
		pass(t, 3*time.Minute)
		if s := b.w.Status(); s.Journal != upload.JournalUnavailable || s.Pending != 2 {
			t.Errorf("status is %+v", s)
		}
		if _, err := b.w.Scan(t.Context(), Request{}); !errors.Is(err, errAway) {
			t.Errorf("scan: %v", err)
		}
		b.ledger.setAway(nil)
		pass(t, ledgerMost)
		b.wantTold(t, "flu_b.csv", "flu_a.csv")
		if s := b.w.Status(); s.Journal != "" || s.Pending != 0 {
			t.Errorf("status is %+v", s)
		}
	})
}

func TestFilesThatOthersTookHoldNobodyUp(t *testing.T) {
	t.Parallel()
	for how, goes := range map[string]func(b *bench){
		"unheard of": func(b *bench) { b.dir.remove("flu_a.csv") },
		"told":       func(b *bench) { b.dir.remove("flu_a.csv"); b.w.Released("flu_a.csv") },
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(t *testing.T, b *bench) {
				b.ledger.setAway(errAway)
				b.dir.set("flu_a.csv", 1)
				pass(t, time.Minute)
				if s := b.w.Status(); s.Journal != upload.JournalUnavailable || s.Pending != 1 {
					t.Errorf("status is %+v", s)
				}
				goes(b)
				pass(t, ledgerMost)
				if s := b.w.Status(); s.Journal != "" || s.Pending != 0 {
					t.Errorf("status is %+v after the file has gone", s)
				}
			})
		})
	}
}

func TestDirectoryComesAndGoes(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"flu_a.csv"}, func(t *testing.T, b *bench) {
		for err, reason := range map[error]upload.Reason{
			durable.ErrNoDir: upload.WatchDirMissing,
			&durable.Error{Op: durable.OpReadDir, Err: fs.ErrPermission}: upload.PermissionDenied,
		} {
			b.dir.breakIt(err)
			pass(t, rescanEvery)
			if s := b.w.Status(); s.Reason != reason || s.Detail == "" {
				t.Errorf("status is %+v, want %s", s, reason)
			}
			b.dir.breakIt(nil)
			pass(t, missingRetry)
			if s := b.w.Status(); s.Reason != "" || s.Ours != 1 {
				t.Errorf("status is %+v after it came back", s)
			}
		}
		b.wantTold(t, "flu_a.csv") // what is known outlasts it
	})
}

func TestReleasedFileIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, []string{"flu_a.csv", "flu_b.csv"}, func(t *testing.T, b *bench) {
		b.ledger.end("flu_a.csv", upload.StateSuperseded, upload.Identity{})
		b.w.Released("flu_a.csv")
		b.dir.remove("flu_b.csv")
		b.ledger.end("flu_b.csv", upload.StateRetired, upload.Identity{})
		b.w.Released("flu_b.csv")
		pass(t, 10*time.Millisecond)
		b.wantTold(t, "flu_b.csv", "flu_a.csv", "flu_a.csv")
	})
}

func TestWhatIsNotTakenIsCountedAndNamed(t *testing.T) {
	t.Parallel()
	files := []string{
		"flu_a.csv", "flu_b.csv.tmp", ".flu_c.csv", "~$flu_d.csv", "flu_a.csv.ok", ".hqms-x.aside", "flu.CRDOWNLOAD",
		"readme.txt", "hqms_1.csv", "flu_\x07.csv", "flu_\xc1\xf7\xb8\xd0.csv",
	}
	inBubble(t, files, func(t *testing.T, b *bench) {
		b.dir.setOdd("flu_dir.csv", fs.ModeDir)
		b.dir.setOdd("flu_pipe.csv", fs.ModeNamedPipe)
		b.dir.setOdd("flu_link.csv", fs.ModeSymlink)
		b.dir.setOdd("sub", fs.ModeDir)
		pass(t, rescanEvery)
		b.wantTold(t, "flu_a.csv")
		s := b.w.Status()
		if diff := gocmp.Diff(Counts{Ours: 1, Ignored: 6, NotOurs: 2, Directories: 1, Unfit: 5}, s.Counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		got := map[string]upload.Reason{}
		for _, u := range s.UnfitFiles {
			got[u.Name] = u.Reason
		}
		want := map[string]upload.Reason{
			`flu_\a.csv`: upload.NameInvalid, `flu_\xc1\xf7\xb8\xd0.csv`: upload.NameInvalid,
			"flu_dir.csv": upload.NotRegular, "flu_pipe.csv": upload.NotRegular, "flu_link.csv": upload.NotRegular,
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("unfit (-want +got):\n%s", diff)
		}
	})
}

func TestUnfitNamesAreBounded(t *testing.T) {
	t.Parallel()
	var files []string
	for i := range 3 * maxUnfit {
		files = append(files, fmt.Sprintf("flu_%d\n.csv", i))
	}
	inBubble(t, files, func(t *testing.T, b *bench) {
		if s := b.w.Status(); len(s.UnfitFiles) != maxUnfit || s.Unfit != 3*maxUnfit {
			t.Errorf("%d named, %d counted", len(s.UnfitFiles), s.Unfit)
		}
	})
}

func TestScanAnswersForEveryName(t *testing.T) {
	t.Parallel()
	files := []string{"flu_kept.csv", "flu_open.csv", "other.csv", "flu_x.tmp", "flu_\x01.csv"}
	inBubble(t, files, func(t *testing.T, b *bench) {
		b.ledger.end("flu_kept.csv", upload.StateRetired, b.dir.files["flu_kept.csv"])
		b.w.Released("flu_kept.csv")
		pass(t, time.Second)
		b.dir.set("flu_new.csv", 1)
		told := len(b.ledger.sightings())
		scan := func(r Request) map[string]Seen {
			t.Helper()
			seen, err := b.w.Scan(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			return byName(seen)
		}
		whyNot := func(r Request, want map[string]upload.Reason) {
			t.Helper()
			got := map[string]upload.Reason{}
			for name, s := range scan(r) {
				got[name] = s.Reason
				if s.Taken != (s.Reason == "") {
					t.Errorf("%+v", s)
				}
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("%+v (-want +got):\n%s", r, diff)
			}
		}
		whyNot(Request{DryRun: true}, map[string]upload.Reason{
			"flu_kept.csv": upload.AlreadyKnown, "flu_open.csv": upload.InProgress, "other.csv": upload.NameUnknown,
			"flu_x.tmp": upload.NameIgnored, `flu_\x01.csv`: upload.NameInvalid, "flu_new.csv": "",
		})
		whyNot(Request{DryRun: true, Force: true, Files: []string{"flu_[ko]*", "absent.csv"}}, map[string]upload.Reason{
			"flu_kept.csv": "", "flu_open.csv": upload.InProgress, "absent.csv": upload.SourceVanished,
		})
		if len(b.ledger.sightings()) != told {
			t.Error("a dry run told the journal")
		}
		whyNot(Request{Files: []string{"flu_*.csv"}}, map[string]upload.Reason{
			"flu_kept.csv": upload.AlreadyKnown, "flu_open.csv": upload.InProgress, "flu_new.csv": "", `flu_\x01.csv`: upload.NameInvalid,
		})
		got := scan(Request{Force: true, Files: []string{"flu_kept.csv"}})["flu_kept.csv"]
		if !got.Taken || got.UploadID != b.ledger.rows["flu_kept.csv"].ID || !b.ledger.rows["flu_kept.csv"].Forced || got.Size != 1 || got.Kind != "flu" {
			t.Errorf("forced: %+v", got)
		}
	})
}

func TestScanFailsInWords(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(t *testing.T, b *bench) {
		if _, err := b.w.Scan(t.Context(), Request{Files: []string{"[x"}}); err == nil {
			t.Error("a broken pattern passed")
		}
		b.dir.breakIt(durable.ErrNoDir)
		if _, err := b.w.Scan(t.Context(), Request{}); !errors.Is(err, durable.ErrNoDir) {
			t.Errorf("missing directory: %v", err)
		}
	})
	w := New(Options{Dir: newFakeDir(), Ledger: newFakeLedger(), Kinds: kinds, NoEvents: true})
	stop := start(t, w)
	stop()
	if _, err := w.Scan(t.Context(), Request{}); !errors.Is(err, ErrStopped) {
		t.Errorf("stopped: %v", err)
	}
}
