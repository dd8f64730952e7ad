package recovery_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/recovery"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// old fills a log with what has become of five uploads; journal is what the
// journal still has of them.
func old(p *place) (journal rows) {
	journal = rows{}
	for i, c := range []struct {
		end   upload.Verdict
		known bool
	}{{upload.Accepted, true}, {upload.Accepted, false}, {upload.Rejected, false}, {upload.Unresolved, true}, {"", true}} {
		id := upload.NewID(start.Add(time.Duration(i) * time.Second))
		for _, u := range []upload.Upload{packed(), decided(c.end)} {
			if u.ID = id; u.State == upload.StateDecided && c.end == "" {
				continue
			}
			u.Digest = fmt.Sprintf("sha-256:%064d", i)
			u.ContentKey = u.Digest
			p.keep(u, start.Add(time.Duration(i)*time.Minute))
			if c.known {
				journal[id] = u
			}
		}
	}
	return journal
}

// left is what a journal made anew would have of them.
func left(t *testing.T, p *place) map[string]upload.Verdict {
	t.Helper()
	all := map[string]upload.Verdict{}
	for line, err := range p.log.Lines(t.Context()) {
		if err != nil || line.Err != nil {
			t.Fatal(err, line.Err)
		}
		all[line.Upload.Digest[70:]] = line.Upload.Verdict
	}
	return all
}

func TestALogIsCompactedAndForgetsNothingThatIsNeeded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	journal := old(p)
	recent := packed()
	recent.Digest = fmt.Sprintf("sha-256:%064d", 9)
	p.keep(recent, start.AddDate(0, 6, 0))
	size := func() (n int64) {
		files, _ := filepath.Glob(filepath.Join(p.state, recovery.DirName, "*.jsonl"))
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			n += info.Size()
		}
		return n
	}
	before := size()
	if done, err := p.log.Compact(t.Context(), journal, start); err != nil || done != (recovery.Compacted{}) {
		t.Errorf("of the present month: %+v, %v", done, err)
	}
	done, err := p.log.Compact(t.Context(), journal, start.AddDate(0, 6, 0))
	if err != nil || done.Files != 1 || done.After >= done.Before || before-size() != done.Before-done.After {
		t.Errorf("%+v, %v; %d bytes before, %d after", done, err, before, size())
	}
	want := map[string]upload.Verdict{"0": upload.Accepted, "1": upload.Accepted, "3": upload.Unresolved, "4": "", "9": ""}
	got := map[string]upload.Verdict{}
	for digest, v := range left(t, p) {
		got[digest[len(digest)-1:]] = v
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if done, err = p.log.Compact(t.Context(), journal, start.AddDate(0, 6, 0)); err != nil || done != (recovery.Compacted{}) {
		t.Errorf("the second time: %+v, %v", done, err)
	}
}

func TestACompactionCountsTheDamagedLinesThatGoAndKeepsTheirNeighbours(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	journal := old(p)
	recent := packed()
	recent.Digest = fmt.Sprintf("sha-256:%064d", 9)
	p.keep(recent, start.AddDate(0, 6, 0))
	file := filepath.Join(p.state, recovery.DirName, start.UTC().Format("2006-01")+".jsonl")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	lines[2][len(lines[2])/2] ^= 1 // the packing of the second upload, whose verdict is two lines further
	if err := os.WriteFile(file, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := p.log.Compact(t.Context(), journal, start.AddDate(0, 6, 0))
	if err != nil || done.Damaged != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if got := left(t, p); len(got) != 5 { // the rejected one is forgotten, the recent one is there
		t.Errorf("left are %v", got)
	}
}

// TestACompactionBrokenOffAnywhereLosesNothing: as by a crash or a full disk at
// each of its operations on files.
func TestACompactionBrokenOffAnywhereLosesNothing(t *testing.T) {
	t.Parallel()
	for k := 1; ; k++ {
		p := newPlace(t)
		journal := old(p)
		count := 0
		dir, err := durable.Open(filepath.Join(p.state, recovery.DirName), durable.WithHook(func(durable.Op, string) error {
			if count++; count >= k {
				return errors.New("crashed")
			}
			return nil
		}))
		if err != nil {
			continue
		}
		_, err = recovery.Open(dir).Compact(t.Context(), journal, start.AddDate(0, 6, 0))
		if closed := dir.Close(); closed != nil {
			t.Fatal(closed)
		}
		all := left(t, p)
		for digest, v := range all {
			if v == "" && digest[len(digest)-1] != '4' {
				t.Errorf("broken off at %d: the verdict of %s is lost", k, digest)
			}
		}
		if len(all) < 4 {
			t.Errorf("broken off at %d: %d uploads left", k, len(all))
		}
		if err == nil {
			t.Logf("broken off at %d operations", k-1)
			if k < 6 {
				t.Error("the hook is not called")
			}
			return
		}
	}
}

func TestAPauseIsKeptUntilItEnds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	want := recovery.Pause{By: "api", At: start}
	for _, step := range []struct {
		do     func() error
		paused bool
	}{
		{func() error { return nil }, false},
		{func() error { return p.log.KeepPause(upload.Flu, want) }, true},
		{func() error { return p.log.KeepPause(upload.Flu, want) }, true},
		{func() error { return p.log.EndPause(upload.Flu) }, false},
		{func() error { return p.log.EndPause(upload.Flu) }, false},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		got, paused, err := p.log.Paused(upload.Flu)
		if err != nil || paused != step.paused || paused && !got.At.Equal(want.At) || paused && got.By != want.By {
			t.Errorf("%+v %t %v", got, paused, err)
		}
		if _, other, err := p.log.Paused(upload.HQMS); other || err != nil {
			t.Errorf("the other channel: %t %v", other, err)
		}
	}
	if err := os.WriteFile(filepath.Join(p.state, recovery.DirName, "paused-flu.json"), []byte("{tor"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, paused, err := p.log.Paused(upload.Flu); !paused || err != nil {
		t.Errorf("a torn file is no pause: %t %v", paused, err)
	}
}

func TestEveryFlippedBitOfALineIsFound(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.keep(packed(), start)
	file := filepath.Join(p.state, recovery.DirName, start.UTC().Format("2006-01")+".jsonl")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want upload.Upload
	for line, err := range p.log.Lines(t.Context()) {
		if err != nil || line.Err != nil {
			t.Fatal(err, line.Err)
		}
		want = line.Upload
	}
	for at := range whole {
		if whole[at] == '\n' { // between lines
			continue
		}
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[at] ^= 1 << bit
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			for line, err := range p.log.Lines(t.Context()) {
				if err != nil || line.Err == nil && !cmp.Equal(line.Upload, want) { // in the name of the seal it does no harm
					t.Fatalf("bit %d of byte %d is another, and nobody sees it: %v\n%s", bit, at, err, b)
				}
			}
		}
	}
}
