package settle

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"syscall"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const name = "flu_20991231.csv"

// world is a directory, its writers and a clock, all set by hand.
type world struct {
	t       *testing.T
	now     time.Time
	files   map[string]*fakeFile
	broken  error // of the directory
	renamed bool
	onProbe func() // happens right after a probe
	ticks   int64
}

type fakeFile struct {
	id      upload.Identity
	content []byte
	writer  Writer
	doubt   Doubt
	odd     bool // a directory
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, now: time.Unix(4_000_000_000, 0), files: map[string]*fakeFile{}}
}

func (w *world) Path() string { return "/watched" }

func (w *world) Look(name string) (upload.Identity, error) {
	f := w.files[name]
	switch {
	case w.broken != nil:
		return upload.Identity{}, w.broken
	case f == nil:
		return upload.Identity{}, fs.ErrNotExist
	case f.odd:
		return upload.Identity{}, durable.ErrNotRegular
	}
	return f.id, nil
}

func (w *world) Open(name string) (io.ReadCloser, error) {
	if w.files[name] == nil {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(w.files[name].content)), nil
}

func (w *world) RenamedIntoPlace(string, upload.Identity) bool { return w.renamed }

func (w *world) probe(path string, _ upload.Identity) (Writer, Doubt) {
	f := w.files[path[len("/watched/"):]]
	if w.onProbe != nil {
		defer w.onProbe()
	}
	if f == nil {
		return Unknown, Moved
	}
	return f.writer, f.doubt
}

// write gives the file this content; its identity changes.
func (w *world) write(name, content string) {
	f := w.files[name]
	if f == nil {
		f = &fakeFile{writer: Nobody, id: upload.Identity{Inode: uint64(len(w.files) + 1)}}
		w.files[name] = f
	}
	w.ticks++
	f.content = []byte(content)
	f.id.Size, f.id.ModTime, f.id.ChangeTime = int64(len(content)), w.ticks, w.ticks
}

func (w *world) stage(mode Mode) *Stage {
	return New(Options{
		Now: func() time.Time { return w.now },
		Channels: map[upload.Channel]ChannelOptions{
			upload.Flu: {Dir: w, Mode: mode, Quiet: 2 * time.Second, Hints: w, Probe: w.probe},
		},
	})
}

func spotted() upload.Upload {
	return upload.Upload{ID: "u1", Channel: upload.Flu, Filename: name, State: upload.StateSpotted}
}

// run looks once and puts the answer in words: "settled", "hold quiet_period",
// "fault read_only".
func run(t *testing.T, s *Stage) string {
	t.Helper()
	o, err := s.Run(t.Context(), spotted())
	if err != nil {
		return "fault " + string(upload.AsFault(err).Reason)
	}
	if _, err := o.Apply(spotted(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if o.Stays() {
		return o.Name() + " " + string(o.Reason())
	}
	return o.Name()
}

// A look happens after a pause and a change; then the stage must say want.
type aLook struct {
	after  time.Duration
	change func(w *world)
	want   string
}

const (
	quiet    = "hold quiet_period"
	changing = "hold still_changing"
	writing  = "hold writer_open"
	missing  = "hold marker_missing"
	misfit   = "hold marker_mismatch"
)

func writer(is Writer) func(*world) { return func(w *world) { w.files[name].writer = is } }

func text(s string) func(*world) { return func(w *world) { w.write(name, s) } }

func mark(s string) func(*world) { return func(w *world) { w.write(name+".ok", s) } }

func doubtful(w *world) {
	for _, f := range w.files {
		f.writer, f.doubt = Unknown, NotOwner
	}
}

func TestFileSettles(t *testing.T) {
	t.Parallel()
	const s = time.Second
	cases := map[string]struct {
		mode  Mode
		looks []aLook
	}{
		"auto: after two looks a quiet period apart, not by its old mtime": {Auto, []aLook{
			{0, func(w *world) { w.files[name].id.ModTime = -1 << 60 }, quiet},
			{1999 * time.Millisecond, nil, quiet},
			{time.Millisecond, nil, "settled"},
		}},
		"auto: every change begins the quiet period anew": {Auto, []aLook{
			{0, nil, quiet},
			{2 * s, text("more"), changing},
			{1 * s, nil, changing},
			{1 * s, nil, "settled"},
		}},
		"auto: same size and mtime in another inode is a change": {Auto, []aLook{
			{0, nil, quiet},
			{2 * s, func(w *world) { w.files[name].id.Inode++ }, changing},
			{2 * s, nil, "settled"},
		}},
		"auto: same size, mtime and inode with another ctime is a change": {Auto, []aLook{
			{0, nil, quiet},
			{2 * s, func(w *world) { w.files[name].id.ChangeTime++ }, changing},
			{2 * s, nil, "settled"},
		}},
		"auto: a writer that pauses with the file open is waited for, and a quiet period after it": {Auto, []aLook{
			{0, writer(Writing), quiet},
			{2 * s, nil, writing},
			{60 * s, nil, writing},
			{1 * s, writer(Nobody), quiet},
			{1 * s, nil, "settled"},
		}},
		"auto: where the probe cannot say, twice the period": {Auto, []aLook{
			{0, doubtful, quiet},
			{2 * s, nil, quiet},
			{1999 * time.Millisecond, nil, quiet},
			{time.Millisecond, nil, "settled"},
		}},
		"auto: renamed into place and nobody writing, at once": {Auto, []aLook{
			{0, func(w *world) { w.renamed = true }, "settled"},
		}},
		"auto: renamed into place by a writer that still has it open": {Auto, []aLook{
			{0, func(w *world) { w.renamed = true; writer(Writing)(w) }, writing},
			{1 * s, func(w *world) { w.renamed = false; writer(Nobody)(w) }, quiet},
			{2 * s, nil, "settled"},
		}},
		"auto: renamed into place but the probe cannot say": {Auto, []aLook{
			{0, func(w *world) { w.renamed = true; doubtful(w) }, quiet},
			{4 * s, nil, "settled"},
		}},
		"auto: written to between the first look and the last": {Auto, []aLook{
			{0, nil, quiet},
			{2 * s, func(w *world) { w.onProbe = func() { w.write(name, "late") } }, changing},
			{2 * s, func(w *world) { w.onProbe = nil }, "settled"},
		}},
		"closed: as soon as nobody writes": {Closed, []aLook{
			{0, writer(Writing), writing},
			{time.Millisecond, writer(Nobody), "settled"},
		}},
		"closed: an empty file waits, since it may have been closed to be opened again": {Closed, []aLook{
			{0, text(""), quiet},
			{1 * s, text("rows"), "settled"},
		}},
		"closed: a file that stays empty ends waiting": {Closed, []aLook{
			{0, text(""), quiet},
			{2 * s, nil, "settled"},
		}},
		"closed: where the probe cannot say, as auto": {Closed, []aLook{
			{0, doubtful, quiet},
			{2 * s, nil, quiet},
			{2 * s, nil, "settled"},
		}},
		"quiet: the period alone, whoever has it open": {Quiet, []aLook{
			{0, writer(Writing), quiet},
			{1 * s, text("x"), changing},
			{2 * s, nil, "settled"},
		}},
		"marker: when it appears": {Marker, []aLook{
			{0, nil, missing},
			{time.Hour, nil, missing},
			{1, mark(""), "settled"},
		}},
		"marker: the other names count too": {Marker, []aLook{
			{0, func(w *world) { w.write("flu_20991231.ok", "") }, "settled"},
		}},
		"marker: a file still open is waited for": {Marker, []aLook{
			{0, func(w *world) { mark("")(w); writer(Writing)(w) }, writing},
			{1 * s, writer(Nobody), "settled"},
		}},
		"marker: one still being written is waited for": {Marker, []aLook{
			{0, func(w *world) { mark("")(w); w.files[name+".ok"].writer = Writing }, writing},
			{1 * s, func(w *world) { mark("size=3")(w); w.files[name+".ok"].writer = Nobody }, misfit},
		}},
		"marker: of unknown writers, it must be quiet itself": {Marker, []aLook{
			{0, func(w *world) { mark("")(w); doubtful(w) }, quiet},
			{2 * s, nil, "settled"},
		}},
		"marker: left over from an earlier export": {Marker, []aLook{
			{0, func(w *world) { mark("")(w); w.write(name, "new export, half") }, missing},
			{1 * s, mark(""), "settled"},
		}},
		"marker: size does not fit until the file is whole": {Marker, []aLook{
			{0, mark("size=4"), misfit},
			{1 * s, func(w *world) { text("abcd")(w); mark("size=4")(w) }, "settled"},
		}},
		"vanished": {Auto, []aLook{
			{0, nil, quiet},
			{2 * s, func(w *world) { delete(w.files, name) }, "vanished"},
		}},
		"a directory took its place": {Auto, []aLook{
			{0, nil, quiet},
			{2 * s, func(w *world) { w.files[name].odd = true }, "unfit"},
		}},
		"an unmounted directory says nothing about its files": {Auto, []aLook{
			{0, nil, quiet},
			{1 * s, func(w *world) { w.broken = durable.ErrNoDir }, "fault watch_dir_missing"},
			{1 * s, func(w *world) { w.broken = nil }, "settled"},
		}},
		"permission taken away": {Auto, []aLook{
			{0, func(w *world) { w.broken = &durable.Error{Op: durable.OpLstat, Err: syscall.EACCES} }, "fault permission_denied"},
		}},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write(name, "a,b\n1,2\n")
			stage := w.stage(c.mode)
			for i, l := range c.looks {
				w.now = w.now.Add(l.after)
				if l.change != nil {
					l.change(w)
				}
				if got := run(t, stage); got != l.want {
					t.Fatalf("look %d: %s, want %s", i+1, got, l.want)
				}
			}
			if last := c.looks[len(c.looks)-1].want; (last == "settled" || last == "vanished" || last == "unfit") && stage.memory.size() != 0 {
				t.Error("the memory of its looks is kept after it left")
			}
		})
	}
}

func TestHoldEndsWhenTheQuietPeriodDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(name, "x")
	stage := w.stage(Auto)
	for _, want := range []time.Duration{2 * time.Second, 1500 * time.Millisecond} {
		o, err := stage.Run(t.Context(), spotted())
		if err != nil {
			t.Fatal(err)
		}
		u, err := o.Apply(spotted(), w.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.NextAttemptAt.Sub(w.now); got != want {
			t.Errorf("held for %v, want %v", got, want)
		}
		if u.Source != w.files[name].id {
			t.Error("the hold does not keep what was seen")
		}
		w.now = w.now.Add(500 * time.Millisecond)
	}
}

func TestLongWaitsAreLookedAtLessOften(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(name, "x")
	w.files[name].writer = Writing
	stage := w.stage(Closed)
	looks := 0
	for start := w.now; w.now.Sub(start) < time.Hour; looks++ {
		o, err := stage.Run(t.Context(), spotted())
		if err != nil {
			t.Fatal(err)
		}
		u, _ := o.Apply(spotted(), w.now)
		w.now = u.NextAttemptAt
	}
	if looks > 750 {
		t.Errorf("%d looks in an hour at a file that is open all the time", looks)
	}
}

func TestForgottenUploadsLeaveTheMemory(t *testing.T) {
	t.Parallel()
	m := newMemory()
	now := time.Unix(4_000_000_000, 0)
	for _, id := range []upload.ID{"a", "b", "c"} {
		m.look(id, upload.Identity{}, now)
	}
	now = now.Add(forgetAfter / 2)
	m.look("c", upload.Identity{}, now)
	m.look("d", upload.Identity{}, now.Add(forgetAfter/2+sweepEvery))
	if m.size() != 2 {
		t.Errorf("%d uploads are remembered, want 2", m.size())
	}
}

func TestStatusTellsModeAndProbe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(name, "x")
	stage := w.stage(Closed)
	want := func(p ProbeState, d Doubt) {
		t.Helper()
		if st, ok := stage.Status(upload.Flu); !ok || st.Mode != Closed || st.Probe != p || st.Doubt != d {
			t.Errorf("status is %+v, want probe %s %s", st, p, d)
		}
	}
	want(Untried, "")
	doubtful(w)
	run(t, stage)
	want(CannotSay, NotOwner)
	w.files[name].writer, w.files[name].doubt = Unknown, Moved
	run(t, stage)
	want(CannotSay, NotOwner)
	w.files[name].writer, w.files[name].doubt = Writing, ""
	run(t, stage)
	want(Works, "")
	if _, ok := stage.Status(upload.HQMS); ok {
		t.Error("a channel that is not there has a status")
	}
}

func TestUnknownChannelIsAFaultOfOurs(t *testing.T) {
	t.Parallel()
	_, err := New(Options{}).Run(context.Background(), spotted())
	if upload.AsFault(err).Reason != upload.InternalFault {
		t.Errorf("got %v", err)
	}
}
