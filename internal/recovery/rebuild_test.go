package recovery_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/recovery"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var (
	start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	later = start.Add(time.Hour)
)

// rows is a journal of the rows alone.
type rows map[upload.ID]upload.Upload

func (r rows) Readmit(_ context.Context, all []upload.Upload, _ time.Time) (n int, _ error) {
	for _, u := range all {
		if have, known := r[u.ID]; !known || have.UpdatedAt.Before(u.UpdatedAt) {
			r[u.ID] = u
			n++
		}
	}
	return n, nil
}

func (r rows) Find(_ context.Context, id upload.ID) (upload.Upload, bool, error) {
	u, known := r[id]
	return u, known, nil
}

func (r rows) Latest(_ context.Context, ch upload.Channel, filename string) (upload.Upload, bool, error) {
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(r))) {
		if u := r[id]; u.Channel == ch && u.Filename == filename {
			return u, true, nil
		}
	}
	return upload.Upload{}, false, nil
}

func (r rows) Act(_ context.Context, id upload.ID, o upload.Outcome) error {
	u, err := o.Apply(r[id], later)
	r[id] = u
	return err
}

// place is a state directory and a watched one.
type place struct {
	t            *testing.T
	state, watch string
	log          *recovery.Log
	src          recovery.Sources
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, state: t.TempDir(), watch: t.TempDir()}
	logDir := filepath.Join(p.state, recovery.DirName)
	if err := os.Mkdir(logDir, 0o700); err != nil {
		t.Fatal(err)
	}
	open := func(path string) *durable.Dir {
		d, err := durable.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	p.log = recovery.Open(open(logDir))
	t.Cleanup(func() { _ = p.log.Close() })
	p.src = recovery.Sources{
		Log: p.log, State: open(p.state), Watch: map[upload.Channel]*durable.Dir{upload.Flu: open(p.watch)},
		Kinds: func(upload.Channel, string) (upload.Kind, bool) { return "flu", true }, Now: func() time.Time { return later },
	}
	return p
}

func (p *place) write(name, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) rebuild() (rows, recovery.Rebuilt) {
	p.t.Helper()
	got := rows{}
	done, err := recovery.Rebuild(p.t.Context(), got, p.src)
	if err != nil {
		p.t.Fatal(err)
	}
	return got, done
}

func (p *place) keep(u upload.Upload, at time.Time) {
	p.t.Helper()
	if err := p.log.Keep(u, at); err != nil {
		p.t.Fatal(err)
	}
}

func packed() upload.Upload {
	u := upload.Upload{
		ID: upload.NewID(start), Channel: upload.Flu, Kind: "flu", Filename: "flu_1.csv", State: upload.StatePacked, Digest: "sha-256:a", ContentKey: "sha-256:a",
		Source: upload.Identity{Inode: 1 << 63, Size: 4, ModTime: start.UnixNano(), ChangeTime: start.UnixNano() + 1}, Place: upload.InWatch, Path: "flu_1.csv",
		Ticket: upload.Ticket{Token: "t", IssuedAt: start, Fate: upload.Untouched}, SpottedAt: start, UpdatedAt: start, NextAttemptAt: start,
	}
	u.TraceID, u.RootSpanID = upload.NewTraceID()
	return u
}

func decided(v upload.Verdict) upload.Upload {
	u := packed()
	u.State, u.Verdict = upload.StateDecided, v
	return u
}

func TestAnUploadWithATicketComesBackAsItWas(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	u := packed()
	p.keep(u, start)
	got, _ := p.rebuild()
	want := u
	want.Reason, want.NextAttemptAt = upload.JournalRebuilt, later
	if got[u.ID] != want {
		t.Errorf("got  %+v\nwant %+v", got[u.ID], want)
	}
}

func TestTheLatestLineOfAnUploadCounts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	u := packed()
	p.keep(u, start)
	u.State, u.Verdict = upload.StateDecided, upload.Accepted
	p.keep(u, start.Add(time.Minute))
	got, _ := p.rebuild()
	if r := got[u.ID]; r.State != upload.StateRetired || r.Verdict != upload.Accepted || r.ContentKey == "" || r.Place != upload.Gone || r.FinishedAt.IsZero() {
		t.Errorf("got %+v", r)
	}
}

func TestLinesThatCannotBeReadArePassedOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	name := filepath.Join(p.state, recovery.DirName, "2026-03.jsonl")
	p.write(name, "\x00\x00garbage\n{\"ID\":\"x\"}\n{\"ID\":\"torn")
	u := packed()
	p.keep(u, start)
	got, done := p.rebuild()
	if len(got) != 1 || done.Unreadable != 3 {
		t.Errorf("got %d rows, %+v", len(got), done)
	}
	if info, err := os.Stat(filepath.Join(filepath.Dir(name), "2026-03.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log is %v, %v", info.Mode(), err)
	}
}

func TestStoredOriginalsAreFound(t *testing.T) {
	t.Parallel()
	for label, tt := range map[string]struct {
		place   string
		line    bool
		result  string
		verdict upload.Verdict
		want    upload.Verdict
		key     bool
	}{
		"archive, with a line":                {place: "archive", line: true, verdict: upload.Duplicate, want: upload.Duplicate, key: true},
		"archive, without":                    {place: "archive", want: upload.Accepted, key: true},
		"quarantine, with a line":             {place: "quarantine", line: true, verdict: upload.Rejected, want: upload.Rejected, key: true},
		"quarantine, with a result":           {place: "quarantine", result: "rejected", want: upload.Rejected},
		"quarantine, partly stored":           {place: "quarantine", result: "partially_accepted", want: upload.PartiallyAccepted, key: true},
		"quarantine, nobody knows":            {place: "quarantine", want: upload.Unresolved, key: true},
		"quarantine, the result is another's": {place: "quarantine", result: "nonsense", want: upload.Unresolved, key: true},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			u := decided(tt.verdict)
			if tt.line {
				p.keep(u, start)
			}
			path := filepath.Join(tt.place, "flu", "2026-03-01", string(u.ID), u.Filename)
			p.write(filepath.Join(p.state, path), "text")
			if tt.place == "quarantine" {
				p.write(filepath.Join(p.state, path+".result.txt"), "words")
			}
			if tt.result != "" {
				p.write(filepath.Join(p.state, path+".result.json"), `{"id":"`+string(u.ID)+`","verdict":"`+tt.result+`","digest":"sha-256:a"}`)
			}
			got, done := p.rebuild()
			r := got[u.ID]
			if done.Stored != 1 || r.State != upload.StateRetired || string(r.Place) != tt.place || r.Path != path || r.Verdict != tt.want || (r.ContentKey != "") != tt.key {
				t.Errorf("got %+v, %+v", done, r)
			}
			if !r.SpottedAt.Equal(start) {
				t.Errorf("spotted at %v: its directory would not be found", r.SpottedAt)
			}
			again, err := recovery.Rebuild(t.Context(), got, p.src)
			if err != nil || again.Stored != 0 || got[u.ID] != r {
				t.Errorf("a second time: %+v, %v", again, err)
			}
		})
	}
}

func TestAnOriginalSetAsideGoesOnBeingPutAway(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	u := decided(upload.Accepted)
	p.keep(u, start)
	aside := filepath.Join(p.watch, ".hqms-"+string(u.ID)+".aside")
	p.write(aside, "text")
	got, done := p.rebuild()
	if r := got[u.ID]; done.Unfinished != 1 || r.State != upload.StateDecided || r.Place != upload.InWatch || r.Path != u.Filename || !r.FinishedAt.IsZero() {
		t.Errorf("got %+v, %+v", done, r)
	}
	if _, err := os.Stat(aside); err != nil {
		t.Error(err)
	}
}

func TestAnOriginalSetAsideThatNobodyKnowsGetsAVisibleName(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := upload.NewID(start)
	p.write(filepath.Join(p.watch, ".hqms-"+string(id)+".aside"), "text")
	_, done := p.rebuild()
	b, err := os.ReadFile(filepath.Join(p.watch, "recovered-"+string(id)+".csv"))
	if err != nil || string(b) != "text" || done.Recovered != 1 {
		t.Errorf("got %q, %v, %+v", b, err, done)
	}
}

func TestAKeptOriginalStaysKnownUnlessItChanged(t *testing.T) {
	t.Parallel()
	for _, changed := range []bool{false, true} {
		p := newPlace(t)
		p.write(filepath.Join(p.watch, "flu_1.csv"), "text")
		u := decided(upload.Accepted)
		var err error
		if u.Source, err = p.src.Watch[upload.Flu].Look("flu_1.csv"); err != nil {
			t.Fatal(err)
		}
		if changed {
			u.Source.ModTime--
		}
		p.keep(u, start)
		if got, done := p.rebuild(); (done.Unfinished == 1) == changed {
			t.Errorf("changed %v: got %+v, %+v", changed, done, got[u.ID])
		}
	}
}

func TestNothingIsKeptOnAFullDiskAndTheNextLineIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full := false
	d, err := durable.Open(dir, durable.WithHook(func(op durable.Op, _ string) error {
		if full && op == durable.OpSync {
			return errors.New("no space")
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	log := recovery.Open(d)
	defer log.Close()
	full = true
	if f, ok := errors.AsType[*upload.Fault](log.Keep(packed(), start)); !ok || f.Class != upload.Local {
		t.Errorf("got %v", f)
	}
	full = false
	u := packed()
	if err := log.Keep(u, start); err != nil {
		t.Fatal(err)
	}
	found := false
	for line, err := range log.Lines(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found = found || line.Upload.ID == u.ID
	}
	if !found {
		t.Error("the line after the fault cannot be read")
	}
}
