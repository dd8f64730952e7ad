package retire_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/retire"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const changedText = "P900,P6891\r\n1,y\r\n"

// scene is one way of an original, crashed everywhere.
type scene struct {
	verdict upload.Verdict
	policy  retire.Policy
	changed bool // the bytes are not what was sent, though the identity is
	taken   bool // the exporter writes a new file as soon as the name is free
	place   upload.Place
	path    string
	reason  upload.Reason // empty: the verdict's
}

func scenes() map[string]scene {
	archive := retire.Policy{OnAccepted: retire.Archive, OnRejected: retire.Quarantine}
	remove := retire.Policy{OnAccepted: retire.Delete, OnRejected: retire.Delete}
	keep := retire.Policy{OnAccepted: retire.Keep, OnRejected: retire.Keep}
	changedPath := filepath.Join(filepath.Dir(wherePut(upload.InQuarantine)), "changed", name)
	return map[string]scene{
		"archived":                  {verdict: upload.Accepted, policy: archive, place: upload.InArchive, path: wherePut(upload.InArchive)},
		"archived by default":       {verdict: upload.Duplicate, place: upload.InArchive, path: wherePut(upload.InArchive)},
		"quarantined":               {verdict: upload.Rejected, policy: archive, place: upload.InQuarantine, path: wherePut(upload.InQuarantine)},
		"quarantined, partial":      {verdict: upload.PartiallyAccepted, place: upload.InQuarantine, path: wherePut(upload.InQuarantine)},
		"deleted":                   {verdict: upload.Accepted, policy: remove, place: upload.Deleted},
		"deleted, rejected":         {verdict: upload.Invalid, policy: remove, place: upload.Deleted},
		"unresolved is not deleted": {verdict: upload.Unresolved, policy: remove, place: upload.InQuarantine, path: wherePut(upload.InQuarantine)},
		"unresolved kept":           {verdict: upload.Unresolved, policy: keep, place: upload.InWatch, path: name},
		"kept":                      {verdict: upload.Accepted, policy: keep, place: upload.InWatch, path: name},
		"archived, name taken":      {verdict: upload.Accepted, taken: true, place: upload.InArchive, path: wherePut(upload.InArchive)},
		"deleted, name taken":       {verdict: upload.Accepted, policy: remove, taken: true, place: upload.Deleted},
		"changed": {
			verdict: upload.Accepted, changed: true, place: upload.InWatch, path: name, reason: upload.OriginalChanged,
		},
		"changed, to be deleted": {
			verdict: upload.Accepted, policy: remove, changed: true, place: upload.InWatch, path: name, reason: upload.OriginalChanged,
		},
		"changed, name taken": {
			verdict: upload.Accepted, policy: remove, changed: true, taken: true, place: upload.InQuarantine, path: changedPath, reason: upload.OriginalChanged,
		},
	}
}

func TestOriginalsAreInOnePlaceAfterEveryCrash(t *testing.T) {
	t.Parallel()
	for label, sc := range scenes() {
		for _, across := range []bool{false, true} {
			if across {
				label += ", across file systems"
			}
			for how, begin := range map[string]beginning{"": (*retire.Stage).Run, ", first": (*retire.Stage).First} {
				t.Run(label+how, func(t *testing.T) {
					t.Parallel()
					durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) { sc.play(t, c, across, begin) })
				})
			}
		}
	}
}

// beginning is how the process that crashes begins.
type beginning func(*retire.Stage, context.Context, upload.Upload) (upload.Outcome, error)

// play lets one process crash at c, and another one finish.
func (sc scene) play(t *testing.T, c *durabletest.Crash, across bool, begin beginning) {
	w, system := newWorld(t, across)
	w.policy = sc.policy
	u := w.decided(sc.verdict)
	content := text
	if sc.changed {
		content, u.Digest = text, digest(changedText)
	}
	exporter := sc.exporter(w)
	if _, err := begin(w.process(c.Hook, system, exporter), t.Context(), u); (err == nil) != (c.Where() == "") {
		t.Fatalf("crashed at %q, error %v", c.Where(), err)
	}
	if c.Where() == "" {
		sc.check(t, w, content) // the first run alone did it all
	}
	if n := len(w.copies(content)); n == 0 && sc.place != upload.Deleted {
		t.Fatalf("lost after a crash at %s", c.Where())
	}
	got := w.run(w.process(system, exporter), u)
	reason := sc.reason
	if reason == "" {
		reason = usualReason[sc.verdict]
	}
	if got.Place != sc.place || got.Path != sc.path || got.Reason != reason {
		t.Errorf("got %s %q (%s), want %s %q (%s)", got.Place, got.Path, got.Reason, sc.place, sc.path, reason)
	}
	sc.check(t, w, content)
}

// exporter writes a new file under the name once the original stands aside.
func (sc scene) exporter(w *world) durable.Hook {
	var once sync.Once
	return func(op durable.Op, _ string) error {
		if sc.taken && op == durable.OpRead && !w.exists(w.watch, name) {
			once.Do(func() { durabletest.Write(w.t, filepath.Join(w.watch, name), "new") })
		}
		return nil
	}
}

func (sc scene) check(t *testing.T, w *world, content string) {
	t.Helper()
	var want []string
	switch sc.place {
	case upload.Deleted:
	case upload.InWatch:
		want = []string{"watch:" + sc.path}
	default:
		want = []string{"state:" + sc.path}
	}
	if got := w.copies(content); !slices.Equal(got, want) {
		t.Errorf("the original is at %v, want %v", got, want)
	}
	if sc.taken && durabletest.Read(t, filepath.Join(w.watch, name)) != "new" {
		t.Error("the new file was touched")
	}
	w.nothingLeft()
	if sc.place == upload.InQuarantine {
		dir := filepath.Dir(wherePut(upload.InQuarantine))
		for _, suffix := range []string{".result.json", ".result.txt"} {
			if durabletest.Read(t, filepath.Join(w.state, dir, name+suffix)) == "" {
				t.Errorf("no %s", suffix)
			}
		}
	}
	if len(w.spool.removed) == 0 {
		t.Error("the packed copy stayed in the spool")
	}
}

func TestAPolicyChangedBetweenCrashAndRestartLosesNothing(t *testing.T) {
	t.Parallel()
	policies := []retire.Policy{{}, {OnAccepted: retire.Keep}, {OnAccepted: retire.Delete}}
	for _, before := range policies {
		for _, after := range policies {
			t.Run(string("from "+before.OnAccepted+" to "+after.OnAccepted), func(t *testing.T) {
				t.Parallel()
				durabletest.EveryCrash(t, func(t *testing.T, c *durabletest.Crash) {
					w, system := newWorld(t, true)
					w.policy = before
					u := w.decided(upload.Accepted)
					_, _ = w.process(c.Hook, system).Run(t.Context(), u)
					w.policy = after
					got := w.run(w.process(system), u)
					w.nothingLeft()
					copies := w.copies(text)
					switch {
					case got.Place == upload.Deleted && len(copies) == 0:
					case got.Place == upload.InWatch && slices.Equal(copies, []string{"watch:" + name}):
					case got.Place == upload.InArchive && slices.Equal(copies, []string{"state:" + wherePut(upload.InArchive)}):
					default:
						t.Errorf("recorded at %s %s, found at %v", got.Place, got.Path, copies)
					}
				})
			})
		}
	}
}

func TestALinkedRenameBrokenOffIsFinished(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, false)
	u := w.decided(upload.Accepted)
	if err := os.Link(filepath.Join(w.watch, name), filepath.Join(w.watch, ".hqms-"+string(idA)+".aside")); err != nil {
		t.Fatal(err)
	}
	if got := w.run(w.process(), u); got.Place != upload.InArchive {
		t.Errorf("got %s", got.Place)
	}
	if got := w.copies(text); len(got) != 1 {
		t.Errorf("the original is at %v", got)
	}
}
