package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// Preview finds one error in whatever it reads, and counts the bytes.
func (w *world) Preview(_ context.Context, b Body) (Previewed, error) {
	if b.Filename == "other.csv" {
		return Previewed{}, fmt.Errorf("%w: nobody takes such a file", ErrUnfitting)
	}
	n, err := io.Copy(io.Discard, b)
	if err != nil {
		return Previewed{}, err
	}
	f := upload.Finding{Severity: upload.Error, Rule: "COL-REQUIRED", Row: 2, Column: "=P4"}
	return Previewed{
		Kind: "flu", Standard: "flu-2.6", Charset: "utf-8", Bytes: n, Rows: 1, RowsInError: 1, Tally: upload.Tally{Error: 1},
		Findings: []upload.Finding{f}, Counts: []Broken{{f.Rule, f.Column, f.Severity, 1}},
	}, nil
}

// The journal fits as it is.
var (
	_ Journal = (*journal.Journal)(nil)
	_ Feed    = (*journal.Journal)(nil)
)

// record is a journal in memory.
type record struct {
	mu       sync.Mutex
	uploads  []upload.Upload // the latest spotted first
	events   []upload.Event
	findings []upload.Finding // of every upload
	filter   journal.Filter   // of the last List
	accounts []journal.Account
	asked    string // of the last report
	fail     error
	waiting  []chan struct{}
	pages    int // times EventsAfter was called
}

func (r *record) Get(_ context.Context, id upload.ID) (upload.Upload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.uploads {
		if u.ID == id {
			return u, r.fail
		}
	}
	return upload.Upload{}, errors.Join(r.fail, fmt.Errorf("read upload: %w", journal.ErrNotFound))
}

func (r *record) List(_ context.Context, f journal.Filter, cursor string, limit int) (journal.Page, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.filter = f
	if r.fail != nil {
		return journal.Page{}, r.fail
	}
	from := 0
	if cursor != "" {
		var err error
		if from, err = strconv.Atoi(cursor); err != nil {
			return journal.Page{}, fmt.Errorf("list uploads: %w", journal.ErrBadCursor)
		}
	}
	rest := r.uploads[min(from, len(r.uploads)):]
	page := journal.Page{Uploads: rest[:min(limit, len(rest))]}
	if len(rest) > limit {
		page.Next = strconv.Itoa(from + limit)
	}
	return page, nil
}

func (r *record) Events(_ context.Context, id upload.ID) ([]upload.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.events), func(e upload.Event) bool { return e.UploadID != id }), r.fail
}

func (r *record) Findings(_ context.Context, _ upload.ID, f journal.FindingFilter) ([]journal.NumberedFinding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []journal.NumberedFinding
	for i, one := range r.findings {
		fits := len(f.Severities) == 0 || slices.Contains(f.Severities, one.Severity)
		if fits && int64(i+1) > f.After && (f.Limit == 0 || len(all) < f.Limit) {
			all = append(all, journal.NumberedFinding{N: int64(i + 1), Finding: one})
		}
	}
	return all, r.fail
}

func (r *record) LastEvent(context.Context) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.events)), r.fail
}

func (r *record) EventsAfter(_ context.Context, seq int64, limit int) ([]upload.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages++
	rest := r.events[min(int(seq), len(r.events)):]
	return slices.Clone(rest[:min(limit, len(rest))]), r.fail
}

func (r *record) Subscribe(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, c)
	context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.waiting = slices.DeleteFunc(r.waiting, func(w chan struct{}) bool { return w == c })
		close(c)
	})
	return c
}

// happen records n events of the upload.
func (r *record) happen(n int, e upload.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		e.Seq = int64(len(r.events)) + 1
		r.events = append(r.events, e)
	}
	for _, w := range r.waiting {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (r *record) breakWith(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// world is everything around the API that is not the journal.
type world struct {
	*record
	calls   []string
	look    Look
	err     error // of every acting call
	looked  []Looked
	channel Channel
	test    TestResult
	held    chan struct{} // each step of a test waits for one; nil: none does
	left    chan struct{} // closed when a held test was given up

	receiverMissing bool

	live    []Obstacle
	ready   []Obstacle
	sending map[upload.ID]Sending
	opToken string
	viToken string
	log     *lines
}

func (w *world) act(name string, id upload.ID) (upload.Upload, error) {
	w.calls = append(w.calls, name+" "+string(id))
	if w.err != nil {
		return upload.Upload{}, w.err
	}
	return w.Get(context.Background(), id)
}

func (w *world) Retry(_ context.Context, id upload.ID) (upload.Upload, error) {
	return w.act("retry", id)
}

func (w *world) Cancel(_ context.Context, id upload.ID) (upload.Upload, error) {
	return w.act("cancel", id)
}

func (w *world) Restore(_ context.Context, id upload.ID, _ bool) (upload.Upload, error) {
	return w.act("restore", id)
}

func (w *world) Trigger(_ context.Context, l Look) ([]Looked, error) {
	w.look = l
	if l.Channel != "" && l.Channel != w.channel.Name {
		return nil, ErrUnknownChannel
	}
	return w.looked, w.err
}

// channels is the world's face as Channels; its List would clash with the journal's.
type channels struct{ *world }

func (c channels) List(context.Context) ([]Channel, error) { return []Channel{c.channel}, c.err }

func (c channels) Test(ctx context.Context, name upload.Channel, tell func(Step)) (TestResult, error) {
	if _, err := c.named("test", name); err != nil {
		return TestResult{}, err
	}
	for _, s := range c.test.Steps {
		tell(Step{Name: s.Name, State: StepRunning})
		if c.held != nil {
			select {
			case <-c.held:
			case <-ctx.Done():
				close(c.left)
				return TestResult{}, ctx.Err()
			}
		}
		tell(s)
	}
	return c.test, nil
}

func (c channels) Pause(_ context.Context, name upload.Channel) (Channel, error) {
	return c.named("pause", name)
}

func (c channels) Resume(_ context.Context, name upload.Channel) (Channel, error) {
	return c.named("resume", name)
}

func (c channels) named(call string, name upload.Channel) (Channel, error) {
	c.calls = append(c.calls, call+" "+string(name))
	if name != c.channel.Name {
		return Channel{}, ErrUnknownChannel
	}
	return c.channel, c.err
}

func (w *world) Live(context.Context) []Obstacle  { return w.live }
func (w *world) Ready(context.Context) []Obstacle { return w.ready }
func (w *world) Operator() string                 { return w.opToken }
func (w *world) Viewer() string                   { return w.viToken }
func (w *world) Sending(id upload.ID) (Sending, bool) {
	s, ok := w.sending[id]
	return s, ok
}

// lines collects log lines.
type lines struct {
	mu       sync.Mutex
	b        bytes.Buffer
	awaited  string        // once a line holds this,
	happened chan struct{} // this receives, if not nil
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.happened != nil && bytes.Contains(p, []byte(l.awaited)) {
		select {
		case l.happened <- struct{}{}:
		default:
		}
	}
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const (
	opToken = "operator-token-0123456789"
	viToken = "viewer-token-0123456789"
)

// newWorld has one upload of each state, of which the first is decided.
func newWorld() *world {
	w := &world{record: &record{}, log: &lines{}, sending: map[upload.ID]Sending{}, opToken: opToken, viToken: viToken}
	w.uploads = []upload.Upload{sampleUpload()}
	for i, s := range upload.States() {
		u := upload.Upload{
			ID: upload.ID("u" + strconv.Itoa(i)), BatchID: "b", Channel: upload.Flu, Kind: "lis", Filename: "lis_" + strconv.Itoa(i) + ".csv",
			State: s, Place: upload.InWatch, SpottedAt: start, UpdatedAt: start, NextAttemptAt: start,
		}
		if s.Final() {
			u.FinishedAt = start
		}
		w.uploads = append(w.uploads, u)
	}
	w.events = []upload.Event{
		{Seq: 1, UploadID: "full", Channel: upload.Flu, At: start, Name: "spotted", To: upload.StateSpotted},
		{Seq: 2, UploadID: "full", Channel: upload.Flu, At: start, Name: "decided", From: upload.StateSent, To: upload.StateDecided, Verdict: upload.Rejected, Reason: upload.RejectedByServer, Detail: "x", Attempt: 1},
	}
	w.findings = []upload.Finding{
		{Severity: upload.Error, Rule: "COL-REQUIRED", Row: 17, Column: "P7506", Params: map[string]string{"expected": "yyyy-MM-dd"}},
		{Severity: upload.Warning, Rule: "COL-UNKNOWN", Column: "=HYPERLINK(\"x\")"},
		{Severity: upload.Fatal, Rule: "CSV-QUOTE", Row: 20},
	}
	w.channel = Channel{
		Name: upload.Flu, State: "refused", Reason: upload.CredentialsRefused, Detail: "d", ServerMessage: "密码错误", Since: start, NextProbeAt: start,
		ServerURL: "https://flu.example/base/", Protocol: "hqms", WatchDir: "/data/flu", SettleMode: "auto", WriterProbe: "works", Watching: "events",
		LeftAlone: 3, Directory: Directory{
			FileSystem: "ext4", SelfTest: "ok", ProbeDoubt: "not_owner", Overflows: 1, Ours: 2, Ignored: 1, NotOurs: 3,
			LastScan: start, LastScanTook: 250 * time.Millisecond, Looked: 5, Unfit: []Unfit{{"flu_x.csv", upload.NotRegular}},
		},
		Backlog:      Backlog{Files: 2, Bytes: 10, Oldest: 90 * time.Second, States: map[upload.State]int64{upload.StatePacked: 2}},
		LastAccepted: map[upload.Kind]time.Time{"flu": start, "lis": start.Add(time.Hour)},
	}
	w.test = TestResult{Reason: upload.CredentialsRefused, Detail: "d", Steps: []Step{{Name: "clock", State: StepWarned, Detail: "9 min"}, {Name: "credentials", State: StepFailed, Detail: "x", Took: time.Second}}}
	w.looked = []Looked{
		{Channel: upload.Flu, Filename: "flu_1.csv", Kind: "flu", Size: 12, Taken: true, UploadID: "full"},
		{Channel: upload.Flu, Filename: "x.txt", Size: -1, Reason: upload.NameUnknown},
	}
	return w
}

func sampleUpload() upload.Upload {
	return upload.Upload{
		ID: "full", BatchID: "batch", Channel: upload.Flu, Kind: "flu", Filename: "flu_20261122.csv",
		Source: upload.Identity{Inode: 5, Size: 100}, Digest: "sha-256:aa", Rows: 0, Charset: "gb18030", Standard: "flu-2.6",
		PackedSize: 40, PackedDigest: "sha-256:bb", State: upload.StateDecided, Verdict: upload.Rejected,
		Reason: upload.RejectedByServer, Detail: "two rows", Attempt: 2, Polls: 3, ReplacesID: "older", ContentKey: "sha-256:aa",
		Receipt: &upload.Receipt{
			ServerID: "123", Status: "4", Code: "E1", Message: "科室代码错误", LoadedAt: "2026-11-22", At: start,
			Grades: &upload.Grades{Below: 1, Storing: 2, Technical: 3, Interface: 4, Stocked: 5, Total: 6, Grade: 7},
		},
		Findings: upload.Tally{Error: 1, Warning: 2}, Place: upload.InWatch, Path: "flu_20261122.csv",
		SpottedAt: start, UpdatedAt: start, NextAttemptAt: start, SentAt: start, TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", RootSpanID: "00f067aa0ba902b7",
	}
}

// server makes a server on the world; change may alter its options.
func (w *world) server(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	o := Options{
		Version: "1.2.3", StartedAt: start, Journal: w, Feed: w, Operator: w, Trigger: w, Channels: channels{w}, Health: w, Progress: w, Tokens: w, Preview: w, Alerts: alerts{w},
		Reports: w, Calendar: w, Zone: time.FixedZone("", 8*3600),
		Metrics: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = rw.Write([]byte("hqms_up 1\n"))
		}),
		Logger: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
