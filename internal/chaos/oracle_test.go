package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// maxShown bounds what a run that has failed tells file by file.
const maxShown = 20

// judge asks whether the promises were kept.
func (r *run) judge() {
	r.t.Helper()
	r.figures.add("originals seen leaving", r.observer.Verify())
	r.judgeServer()
	r.judgeJournal()
	r.judgeSpool()
	r.judgeFaults()
}

// judgeServer compares what the server stored with what was written.
func (r *run) judgeServer() {
	stored := map[string]sandbox.Content{}
	for _, c := range r.server.report().Contents {
		stored[string(c.Channel)+" "+c.Digest] = c
	}
	wanted := map[string]bool{}
	shown := 0
	for _, w := range r.writers.all {
		key := string(w.channel) + " " + w.digest
		times, want := stored[key].Accepted, 1
		if w.expect == upload.Rejected {
			want = 0
		}
		wanted[key] = true
		r.figures.count("files")
		r.figures.count("files " + string(w.manner))
		if times != want {
			if shown++; shown <= maxShown {
				r.t.Errorf("%s (%s): the server stored it %d times, want %d", w.name, w.digest, times, want)
			}
		}
		if n := stored[key].Received; n > 1 {
			r.figures.add("received again", n-1)
		}
	}
	for key, c := range stored {
		if !wanted[key] && c.Received > 0 {
			r.t.Errorf("the server received %s, which nobody finished writing", key)
		}
	}
}

// judgeJournal compares the journal with what was written, and with the disk.
func (r *run) judgeJournal() {
	ctx := context.Background()
	j, err := sqlite.Open(ctx, r.ground.state, journal.Options{})
	if err != nil {
		r.t.Errorf("open the journal: %v", err)
		return
	}
	defer j.Close()
	rows := map[string][]upload.Upload{}
	for cursor, more := "", true; more; {
		p, err := j.List(ctx, journal.Filter{}, cursor, 1000)
		if err != nil {
			r.t.Errorf("read the journal: %v", err)
			return
		}
		for _, u := range p.Uploads {
			rows[string(u.Channel)+"/"+u.Filename] = append(rows[string(u.Channel)+"/"+u.Filename], u)
		}
		cursor, more = p.Next, p.Next != ""
	}
	places := r.places()
	copies := map[string]int{}
	for _, w := range r.writers.all {
		copies[w.digest]++
	}
	for _, w := range r.writers.all {
		r.judgeRow(w, rows[string(w.channel)+"/"+w.name], places, copies[w.digest])
	}
	if err := j.Verify(ctx); err != nil {
		r.t.Errorf("the journal is damaged: %v", err)
	}
}

// judgeRow looks at the uploads of one file; the latest ones come first.
func (r *run) judgeRow(w written, all []upload.Upload, places map[string][]string, copies int) {
	var ends []upload.Upload
	for _, u := range all {
		if u.State == upload.StateSuperseded || u.State == upload.StateVanished {
			r.figures.count("uploads " + string(u.State)) // a look at a file that was still being written
			continue
		}
		ends = append(ends, u)
	}
	if len(ends) != 1 {
		r.t.Errorf("%s: %d uploads with an end of their own, want 1: %+v", w.name, len(ends), all)
		return
	}
	u := ends[0]
	r.figures.count("verdict " + string(u.Verdict))
	right := u.Verdict == w.expect || w.expect == upload.Accepted && u.Verdict == upload.Duplicate && copies > 1
	if u.State != upload.StateRetired || !right || u.Digest != w.digest {
		r.t.Errorf("%s ended %s with verdict %q (%s), want %q; digest %s, written %s", w.name, u.State, u.Verdict, u.Reason, w.expect, u.Digest, w.digest)
	}
	at := places[w.digest]
	found := 0
	for _, p := range at {
		if p == u.Path {
			found++
		}
	}
	if len(at) != copies || found != 1 {
		r.t.Errorf("%s: the journal says %s %q; its content is at %q, want %d", w.name, u.Place, u.Path, at, copies)
	}
}

// places tells where each content is on the disk, below the watched directories
// and the state directory.
func (r *run) places() map[string][]string {
	all := map[string][]string{}
	for _, dir := range []string{r.ground.flu, r.ground.hqms, filepath.Join(r.ground.state, "archive"), filepath.Join(r.ground.state, "quarantine")} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || !strings.HasSuffix(path, ".csv") && !strings.Contains(path, ".hqms-") {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			rel, err := filepath.Rel(r.ground.state, path)
			all["sha-256:"+hex.EncodeToString(sum[:])] = append(all["sha-256:"+hex.EncodeToString(sum[:])], rel)
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			r.t.Errorf("look for originals: %v", err)
		}
	}
	return all
}

func (r *run) judgeSpool() {
	left, err := os.ReadDir(filepath.Join(r.ground.state, "spool"))
	if err != nil || len(left) > 0 {
		r.t.Errorf("left in the spool: %v, %v", left, err)
	}
}

// judgeFaults asks whether the faults were seen by the sidecar at all.
func (r *run) judgeFaults() {
	log, err := os.ReadFile(r.sidecar.log.Name())
	if err != nil {
		r.t.Error(err)
		return
	}
	var want []upload.Reason // in a short storm it is up to the seed which faults strike
	if r.duration >= long {
		want = append(want, upload.ServerUnreachable, upload.AnswerLost, upload.ServerError, upload.ServerBusy, upload.ServerUnreadable, upload.CredentialsRefused)
		if r.ground.mounted {
			want = append(want, upload.DiskFull, upload.PermissionDenied)
		}
		for _, m := range append(append(r.processMoves(), r.networkMoves()...), r.groundMoves()...) {
			if m.weight > 1 && r.figures.of(m.name) == 0 {
				r.t.Errorf("%q never happened", m.name)
			}
		}
	}
	for _, reason := range upload.Reasons() {
		if n := said(log, reason); n > 0 {
			r.figures.add("log: "+string(reason), n)
		}
	}
	for _, reason := range want {
		if r.figures.of("log: "+string(reason)) == 0 {
			r.t.Errorf("the sidecar never met %s", reason)
		}
	}
	if r.figures.of(kills) == 0 {
		r.t.Error("it was never killed")
	}
	if r.duration >= whole && (r.figures.of(kills) < 500 || r.figures.of("files") < 5000) {
		r.t.Errorf("%d kills and %d files: too few to prove anything", r.figures.of(kills), r.figures.of("files"))
	}
	if strings.Contains(string(log), "panic") || strings.Contains(string(log), `"level":"ERROR"`) {
		r.figures.add("log: errors and panics", strings.Count(string(log), `"level":"ERROR"`)+strings.Count(string(log), "panic"))
	}
}

// met counts how often the sidecar's log says until now that it met a fault.
func (r *run) met(reason upload.Reason) int {
	log, err := os.ReadFile(r.sidecar.log.Name())
	if err != nil {
		r.t.Error(err)
	}
	return said(log, reason)
}

// said counts how often a log names a reason.
func said(log []byte, reason upload.Reason) int {
	return bytes.Count(log, []byte(`"reason":"`+string(reason)+`"`))
}
