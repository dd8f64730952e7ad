package sandbox

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// after gives a sandbox on a copy of dir as it is at this moment: what a start
// after a kill would find.
func after(t *testing.T, dir string, opts Options) *running {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	opts.Dir = copied
	return start(t, opts)
}

func TestStateSurvivesAKillAtAnyPoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, Options{Dir: dir})
	r.get("/flu" + login("demo", "wrong"))
	unused := r.token("/flu")
	decided := r.send("/flu", "flu_1.csv", "A\n1\nbad\n")
	r.settled(1)
	r.Pause()
	queued := []string{r.send("/flu", "flu_2.csv", "A\n2\n"), r.send("/flu", "flu_3.csv", "A\n3\n"), r.send("/flu", "flu_1.csv", "A\n1\nbad\n")}
	before := r.Report()

	r = after(t, dir, Options{})
	arrivals := r.settled(4)
	var verdicts []upload.Verdict
	for _, a := range arrivals {
		verdicts = append(verdicts, a.Verdict)
	}
	if want := []upload.Verdict{upload.PartiallyAccepted, upload.Accepted, upload.Accepted, upload.Duplicate}; !slices.Equal(verdicts, want) {
		t.Errorf("verdicts %v, want %v", verdicts, want)
	}
	if arrivals[1].DecidedAt.After(arrivals[2].DecidedAt) {
		t.Error("the queue's order was lost")
	}
	if got := r.Report().Counts; !cmp.Equal(got, before.Counts) || got.TokensIssued != 5 || got.WrongLogins["demo"] != 1 {
		t.Errorf("counts %+v, before %+v", got, before.Counts)
	}
	for _, token := range append(queued, decided) {
		if rep := r.result("/flu", token); !rep.Succ || !rep.Result.Status.Final() {
			t.Errorf("result after the kill: %+v", rep)
		}
	}
	if rep := r.decode(r.post("/flu", unused, zipOf(t, "flu_9.csv", "A\n9\n"), "")); !rep.Succ {
		t.Errorf("a token issued before the kill is refused: %+v", rep)
	}
}

func TestATornLastLineIsCutAndOtherDamageIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, Options{Dir: dir})
	r.send("/flu", "flu_1.csv", "A\n1\n")
	r.settled(1)
	whole, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	last := len(bytes.Join(lines[:len(lines)-2], nil))                // where the verdict begins
	torn := [][]byte{append(bytes.Clone(whole), "\x00\x00\x00\n"...)} // blocks reach a disk in any order
	for cut := last; cut <= len(whole); cut += 7 {
		torn = append(torn, whole[:cut])
	}
	for cut, journal := range torn {
		damaged := t.TempDir()
		if err := os.WriteFile(filepath.Join(damaged, journalName), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		got := after(t, damaged, Options{}).settled(1)
		if len(got) != 1 || got[0].Filename != "flu_1.csv" {
			t.Errorf("torn %d: %+v", cut, got)
		}
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, journalName), append([]byte("{\n"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Dir: damaged}); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("damage in the middle: %v", err)
	}
}

func TestTwoSandboxesCannotShareADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, Options{Dir: dir})
	if s, err := New(Options{Dir: dir, Examiner: byWord{}}); err == nil {
		s.Close()
		t.Error("a second sandbox opened the same directory")
	}
}

// diary notes what happens to the journal's file, and fails on demand.
type diary struct {
	file
	mu   sync.Mutex
	note []string
	fail error
}

func (d *diary) add(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note = append(d.note, what)
}

func (d *diary) Sync() error {
	d.add("journal synced")
	if d.fail != nil {
		return d.fail
	}
	return d.file.Sync()
}

func TestNothingIsAnsweredBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Dir: t.TempDir()})
	r.Pause()
	token := r.token("/flu")
	d := &diary{file: r.ledger.store.file}
	r.ledger.store.file = d
	r.spool.sync = func(f *os.File) error {
		d.add(fmt.Sprintf("%s synced", strings.ReplaceAll(filepath.Base(f.Name()), token, "token")))
		return f.Sync()
	}
	body := zipOf(t, "flu_1.csv", "A\n1\n")
	req, _ := http.NewRequest(http.MethodPost, "/flu"+pathUpload+"?token="+token, bytes.NewReader(body))
	if a := r.answer(newCall(req, StepUpload, upload.Flu)); a.code != 200 {
		t.Fatalf("answer %d", a.code)
	}
	d.add("answered")
	if _, err := r.ledger.issue("demo", ""); err != nil {
		t.Fatal(err)
	}
	d.add("token told")
	want := []string{"token.zip.part synced", "packages synced", "journal synced", "answered", "journal synced", "token told"}
	if diff := cmp.Diff(want, d.note); diff != "" {
		t.Error(diff)
	}
}

func TestAFullDiskIsAnsweredAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, Options{Dir: dir})
	token := r.token("/flu")
	d := &diary{file: r.ledger.store.file, fail: errors.New("no space left on device")}
	r.ledger.store.file = d
	resp, err := r.post("/flu", token, zipOf(t, "flu_1.csv", "A\n1\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || len(r.Arrivals()) != 0 {
		t.Errorf("status %d, arrivals %v", resp.StatusCode, r.Arrivals())
	}
	if left, _ := os.ReadDir(filepath.Join(dir, spoolName)); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	d.fail = nil
	if rep := r.decode(r.post("/flu", token, zipOf(t, "flu_1.csv", "A\n1\n"), "")); !rep.Succ {
		t.Errorf("with room again: %+v", rep)
	}
	r.settled(1)
	if got := after(t, dir, Options{}).Arrivals(); len(got) != 1 {
		t.Errorf("after a restart: %+v", got)
	}
}

func TestABodyShorterThanToldIsNotTaken(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	for _, size := range []int64{1, 3, shelved + 1} {
		if _, err := r.spool.receive("x", strings.NewReader("PK"), size); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("told %d bytes: got %v", size, err)
		}
		if _, err := r.spool.open("x"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("told %d bytes: something stayed: %v", size, err)
		}
	}
}

func TestASmallPackageHasNoFileWhereNothingLasts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts  Options
		files int
	}{"nothing lasts": {Options{}, 1}, "the state lasts": {Options{Dir: t.TempDir()}, 2}, "packages are kept": {Options{KeepFiles: true}, 2}} {
		r := start(t, c.opts)
		r.Pause()
		large := make([]byte, 2*shelved) // which no compression makes small
		_, _ = rand.NewChaCha8([32]byte{}).Read(large)
		r.send("/flu", "flu_1.csv", "A\n1\n")
		r.send("/flu", "flu_2.csv", "A\n"+strings.ToUpper(hex.EncodeToString(large))+"\n")
		if files, _ := os.ReadDir(r.spool.root.Name()); len(files) != c.files {
			t.Errorf("%s: %v", name, files)
		}
		r.Resume()
		for _, a := range r.settled(2) {
			if a.Verdict != upload.Accepted {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if err := r.Close(); err != nil { // the last package is removed after its verdict is told
			t.Error(err)
		}
		if s := r.spool.small; s != nil && (len(s.held) > 0 || s.size != 0) {
			t.Errorf("%s: %d packages of %d bytes are left", name, len(s.held), s.size)
		}
	}
}

func TestAFullShelfTakesNoMore(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	r.spool.small.size = shelfRoom - 3
	for i, text := range []string{"PK", "PK"} {
		if _, err := r.spool.receive(strconv.Itoa(i), strings.NewReader(text), 2); err != nil {
			t.Fatal(err)
		}
	}
	if files, _ := os.ReadDir(r.spool.root.Name()); len(r.spool.small.held) != 1 || len(files) != 1 {
		t.Errorf("on the shelf: %v, files: %v", r.spool.small.held, files)
	}
}

func TestOnlyKeptPackagesStay(t *testing.T) {
	t.Parallel()
	for keep, want := range map[bool]int{false: 0, true: 1} {
		dir := t.TempDir()
		r := start(t, Options{Dir: dir, KeepFiles: keep})
		r.send("/flu", "flu_1.csv", "A\n1\n")
		r.settled(1)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, spoolName, "stray.zip"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		start(t, Options{Dir: dir, KeepFiles: keep})
		if left, _ := os.ReadDir(filepath.Join(dir, spoolName)); len(left) != want {
			t.Errorf("keep %v: %v", keep, left)
		}
	}
}

func TestResetForgetsEvenWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	block := &blocking{entered: make(chan struct{}), leave: make(chan struct{})}
	r := start(t, Options{Dir: dir, Examiner: block})
	token := r.send("/flu", "flu_1.csv", "A\n1\n")
	<-block.entered
	r.send("/flu", "flu_2.csv", "A\n2\n")
	if err := r.Reset(); err != nil {
		t.Fatal(err)
	}
	close(block.leave)
	if rep := r.result("/flu", token); rep.ErrorCode != "TOKEN_UNKNOWN" {
		t.Errorf("result after reset: %+v", rep)
	}
	r.send("/flu", "flu_1.csv", "A\n1\n")
	if got := r.settled(1); len(got) != 1 || got[0].Verdict != upload.Accepted {
		t.Errorf("after reset: %+v", got)
	}
	if got := after(t, dir, Options{}).Arrivals(); len(got) != 1 {
		t.Errorf("after reset and restart: %+v", got)
	}
}

// blocking is an Examiner that waits in its first call.
type blocking struct {
	byWord
	once           sync.Once
	entered, leave chan struct{}
}

func (b *blocking) Examine(ch upload.Channel, kind upload.Kind, csv io.Reader) (Examined, error) {
	b.once.Do(func() { close(b.entered); <-b.leave })
	return b.byWord.Examine(ch, kind, csv)
}

func TestTheOldestAreForgottenWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, Options{Dir: dir, MaxArrivals: 3})
	for i := range 5 {
		r.send("/flu", "flu_1.csv", fmt.Sprintf("A\n%d\n", i))
		if err := r.Await(t.Context(), func(rep Report) bool { return rep.Items[len(rep.Items)-1].Status.Final() }); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*running{r, after(t, dir, Options{MaxArrivals: 3})} {
		if got := s.Arrivals(); len(got) != 3 || got[0].ID != 3 || len(s.Report().Contents) != 3 {
			t.Errorf("got %+v", got)
		}
	}
}

func TestWithoutADirectoryNoJournalIsWritten(t *testing.T) {
	t.Parallel()
	r := start(t, Options{})
	r.send("/flu", "flu_1.csv", "A\n1\n")
	r.settled(1)
	if _, err := os.Stat(filepath.Join(r.temporary, journalName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a journal that nobody reads: %v", err)
	}
}
