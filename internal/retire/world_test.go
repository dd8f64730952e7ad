package retire_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable/durabletest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/retire"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	idA  = upload.ID("0190b3c4-0000-7000-8000-00000000000a")
	idB  = upload.ID("0190b3c4-0000-7000-8000-00000000000b")
	name = "flu_20991231.csv"
	text = "P900,P6891\r\n1,x\r\n"
	day  = "2099-12-31"
)

var spotted = time.Date(2099, 12, 31, 23, 0, 0, 0, time.UTC)

// spool counts the removals of packed copies.
type spool struct{ removed []upload.ID }

func (s *spool) Remove(u upload.Upload) error {
	s.removed = append(s.removed, u.ID)
	return nil
}

// findings gives the same findings for every upload.
type findings []upload.Finding

func (f findings) Findings(_ context.Context, _ upload.ID, limit int) ([]upload.Finding, error) {
	return f[:min(limit, len(f))], nil
}

// world is a watched directory and a state directory on the disk. Each stage it
// makes is a process of its own.
type world struct {
	t            *testing.T
	watch, state string
	spool        spool
	findings     findings
	policy       retire.Policy
	now          time.Time
}

// newWorld makes a world; across says that the state directory is to be on
// another file system. Without the right to mount, moving is made to say so.
func newWorld(t *testing.T, across bool) (*world, durable.Hook) {
	t.Helper()
	w := &world{t: t, now: spotted.AddDate(1, 0, 0)}
	base, mounted := durabletest.Tmpfs(t, "size=4m") // in memory: there are many crash points
	if !mounted {
		base = t.TempDir()
	}
	w.watch, w.state = filepath.Join(base, "watch"), filepath.Join(base, "state")
	for _, dir := range []string{w.watch, w.state} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	none := func(durable.Op, string) error { return nil }
	switch {
	case !across:
		return w, none
	case mounted:
		w.state, _ = durabletest.Tmpfs(t, "size=4m")
		return w, none
	default:
		return w, refuseMoving
	}
}

// refuseMoving is another file system, for who may not mount one.
func refuseMoving(op durable.Op, name string) error {
	if op == durable.OpRenameNoReplace && strings.HasSuffix(name, ".aside") {
		return syscall.EXDEV
	}
	return nil
}

// process is a stage whose file operations pass the hooks.
func (w *world) process(hooks ...durable.Hook) *retire.Stage {
	w.t.Helper()
	hook := func(op durable.Op, name string) error {
		for _, h := range hooks {
			if err := h(op, name); err != nil {
				return err
			}
		}
		return nil
	}
	opened := false
	state := durabletest.Dir(w.t, w.state, durable.WithHook(func(op durable.Op, name string) error {
		if !opened {
			opened = true // opening the state directory is not what is tested
			return nil
		}
		return hook(op, name)
	}))
	return retire.New(retire.Options{
		Watch:    map[upload.Channel]*durable.Dir{upload.Flu: durabletest.Dir(w.t, w.watch, durable.WithLazy(), durable.WithHook(hook))},
		State:    state,
		Policies: map[upload.Channel]retire.Policy{upload.Flu: w.policy},
		Spool:    &w.spool,
		Findings: w.findings,
		Now:      func() time.Time { return w.now },
	})
}

// usualReason is why a verdict mostly is so.
var usualReason = map[upload.Verdict]upload.Reason{
	upload.Rejected: upload.RejectedByServer, upload.PartiallyAccepted: upload.PartlyStored,
	upload.Invalid: upload.FindingsBlock, upload.Unresolved: upload.DeadlinePassed,
}

// decided writes the original and gives its upload.
func (w *world) decided(v upload.Verdict) upload.Upload {
	w.t.Helper()
	durabletest.Write(w.t, filepath.Join(w.watch, name), text)
	seen, err := durabletest.Dir(w.t, w.watch).Look(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return upload.Upload{
		ID: idA, Channel: upload.Flu, Kind: "flu", Filename: name, Source: seen, Digest: digest(text),
		State: upload.StateDecided, Verdict: v, Reason: usualReason[v], VerdictReason: usualReason[v],
		Place: upload.InWatch, Path: name, SpottedAt: spotted,
	}
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha-256:" + hex.EncodeToString(sum[:])
}

// run retires u and gives it as it is then.
func (w *world) run(s *retire.Stage, u upload.Upload) upload.Upload {
	w.t.Helper()
	o, err := s.Run(w.t.Context(), u)
	if err != nil {
		w.t.Fatalf("run: %v", err)
	}
	u, err = o.Apply(u, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// copies tells where a file with content is, in both directories together.
func (w *world) copies(content string) []string {
	w.t.Helper()
	var found []string
	for label, root := range map[string]string{"watch": w.watch, "state": w.state} {
		for _, path := range w.tree(root) {
			if durabletest.Read(w.t, filepath.Join(root, path)) == content {
				found = append(found, label+":"+path)
			}
		}
	}
	slices.Sort(found)
	return found
}

// tree lists the files below root.
func (w *world) tree(root string) []string {
	w.t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// nothingLeft demands that no temporary file stayed behind.
func (w *world) nothingLeft() {
	w.t.Helper()
	for _, file := range append(w.tree(w.watch), w.tree(w.state)...) {
		if strings.HasPrefix(filepath.Base(file), ".") {
			w.t.Errorf("left behind: %s", file)
		}
	}
}

func (w *world) exists(root, name string) bool {
	_, err := os.Lstat(filepath.Join(root, name))
	return err == nil
}

// wherePut is the path that an original has at place.
func wherePut(place upload.Place) string {
	return string(place) + "/flu/" + day + "/" + string(idA) + "/" + name
}
