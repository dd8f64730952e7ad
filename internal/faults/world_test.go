package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/channel"
	"github.com/hqms-sidecar/hqms-sidecar/internal/confirm"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/sqlite"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pipeline"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/hqms"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/transmittest"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The settings of the runs. No two of them are alike, so that a pause tells
// where it comes from.
const (
	retryMin     = time.Minute
	retryMax     = 16 * time.Minute
	pollMin      = 2 * time.Second
	pollMax      = 45 * time.Second
	localPause   = 5 * time.Second
	refusedRetry = 37 * time.Minute
	grace        = 100 * time.Second
	deadline     = 2 * time.Hour
	wish         = 7 * time.Minute // the server's, where it has one
)

const (
	rows  = 10
	small = 20_000
	large = 6 << 20 // more than the buffers between client and server hold
)

// clock is the virtual clock of everything but the watchdog's patience.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.After(c.now) {
		c.now = to
	}
}

// world is one upload on its way to one server.
type world struct {
	t        *testing.T
	clock    *clock
	log      *records
	box      *sandbox.Server
	server   *transmittest.Server
	line     *line
	patience *patience
	journal  *journal.Journal
	gate     *channel.Gate
	pipeline *pipeline.Pipeline
	id       upload.ID
	digest   string
}

// newWorld makes a world whose upload is validated: packing and sending are next.
func newWorld(t *testing.T, size int, withTLS bool) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}, log: &records{}}
	w.serve(withTLS)
	var err error
	if w.journal, err = sqlite.Open(t.Context(), t.TempDir(), journal.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.journal.Close() })
	w.build(w.validated(size))
	return w
}

func (w *world) serve(withTLS bool) {
	box, err := sandbox.New(sandbox.Options{
		Dir: w.t.TempDir(), Accounts: map[string]string{"a": "p"}, AcceptDuplicates: true, Examiner: anything{}, Now: w.clock.Now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = box.Close() })
	w.box = box
	w.server = transmittest.Serve(w.t, box, stepOf, withTLS)
	w.t.Cleanup(box.LetGo)
	w.line = newLine(w.t, w.server)
}

// anything takes every content for a good file: these tests are not about content.
type anything struct{}

func (anything) Kind(upload.Channel, string) (upload.Kind, bool) { return "flu", true }

func (anything) Examine(_ upload.Channel, _ upload.Kind, csv io.Reader) (sandbox.Examined, error) {
	_, err := io.Copy(io.Discard, csv)
	return sandbox.Examined{Rows: rows, Charset: "utf-8", Standard: "flu-2.6"}, err
}

func stepOf(r *http.Request) transmittest.Step {
	switch {
	case strings.HasSuffix(r.URL.Path, "gettoken.shtml"):
		return transmittest.Admission
	case strings.HasSuffix(r.URL.Path, "findResult.shtml"):
		return transmittest.Question
	default:
		return transmittest.Upload
	}
}

// files is a watched directory with one file in it, that does not change.
type files struct{}

func (files) Look(string) (upload.Identity, error) { return source, nil }

var source = upload.Identity{Inode: 7, Size: 1, ModTime: 1, ChangeTime: 1}

// validated brings an upload of random bytes, which no compression makes
// smaller, to where packing begins.
func (w *world) validated(size int) *pack.Stage {
	w.t.Helper()
	ctx := w.t.Context()
	spool, err := durable.Open(w.t.TempDir())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = spool.Close() })
	packing := pack.New(pack.Options{
		Spool: spool, Sources: map[upload.Channel]pack.Source{upload.Flu: files{}}, Contents: w.journal,
		Level: func(upload.Channel, int64) int { return 1 },
	})
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	sum := sha256.Sum256(content)
	w.digest = "sha-256:" + hex.EncodeToString(sum[:])
	u, _, err := w.journal.Spot(ctx, upload.Sighting{Channel: upload.Flu, Kind: "flu", Filename: "flu_1.csv", Seen: source, At: w.clock.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.id = u.ID
	w.record(upload.StateSpotted, upload.Settled(source))
	into, err := packing.Begin(ctx, w.upload())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := into.Write(content); err != nil {
		w.t.Fatal(err)
	}
	packed, packedDigest, err := into.Finish()
	if err != nil {
		w.t.Fatal(err)
	}
	w.record(upload.StateSettled, upload.Validated(upload.Examination{
		Digest: w.digest, Size: int64(size), Rows: rows, Charset: "utf-8", Standard: "flu-2.6", PackedSize: packed, PackedDigest: packedDigest,
	}))
	return packing
}

func (w *world) record(from upload.State, o upload.Outcome) {
	w.t.Helper()
	now := w.clock.Now()
	u, found, err := w.journal.Claim(w.t.Context(), journal.Claim{Channel: upload.Flu, States: []upload.State{from}, Owner: "test", Lease: time.Minute, Now: now})
	if err != nil || !found {
		w.t.Fatalf("claim: %v, %v", found, err)
	}
	if _, err := w.journal.Record(w.t.Context(), u, o, now, false); err != nil {
		w.t.Fatal(err)
	}
}

// gateStore keeps the gate's record; what restarts do to it is not asked here.
type gateStore struct {
	mu sync.Mutex
	r  channel.Record
}

// Channel implements channel.Store.
func (s *gateStore) Channel(context.Context, upload.Channel) (channel.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r, nil
}

// SaveChannel implements channel.Store.
func (s *gateStore) SaveChannel(_ context.Context, r channel.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = r
	return nil
}

type login struct{}

func (login) Credentials() (account, password, hash string) { return "a", "p", "h" }

// client makes a client whose watchdog bites after d.
func (w *world) client(d time.Duration) *hqms.Client {
	w.t.Helper()
	c, err := hqms.New(hqms.Options{
		Channel: upload.Flu, ServerURL: w.server.URL + "/flu/", Credentials: login{}, Now: w.clock.Now,
		Patience: hqms.Patience{Connect: d, Stall: d, Answer: d},
		Network:  hqms.Network{RootCAs: w.server.Roots, Dial: w.line.dial}, Tracer: w.line,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	w.line.hangUp = append(w.line.hangUp, c.Close)
	return c
}

// build puts stages and pipeline around the journal.
func (w *world) build(packing *pack.Stage) {
	w.t.Helper()
	logger := slog.New(w.log)
	client := &patience{plenty: w.client(20 * time.Second), brief: w.client(300 * time.Millisecond)}
	w.patience = client
	w.gate = channel.New(channel.Options{
		Channel: upload.Flu, Store: &gateStore{}, CredentialHash: func() string { return "h" }, Now: w.clock.Now,
		RefusedRetry: refusedRetry, RefusedPerDay: 100, Logger: logger,
	})
	sending := transmit.New(transmit.Options{
		Channels: map[upload.Channel]transmit.Channel{upload.Flu: {Protocol: client, Gate: w.gate}}, Spool: packing, Tickets: w.journal,
		Backoff: upload.Backoff{Min: retryMin, Max: retryMax}, FirstPoll: pollMin, Logger: logger, Now: w.clock.Now,
	})
	asking := confirm.New(confirm.Options{
		Channels: map[upload.Channel]confirm.Channel{upload.Flu: {Results: client, Gate: w.gate}}, Earlier: w.journal,
		PollMin: pollMin, PollMax: pollMax, Deadline: deadline, Grace: grace, Logger: logger, Now: w.clock.Now,
	})
	w.pipeline = pipeline.New(pipeline.Options{
		Journal: w.journal, Channels: []upload.Channel{upload.Flu}, Owner: "test", Concurrency: 1, LocalPause: localPause,
		Backoff: upload.Backoff{Min: retryMin, Max: retryMax}, Logger: logger, Now: w.clock.Now,
		Stages: []pipeline.Stage{
			{Name: "pack", From: upload.StateValidated, Crew: pipeline.Heavy, Run: packing.Run},
			{Name: "transmit", From: upload.StatePacked, Crew: pipeline.Heavy, Run: sending.Run},
			{Name: "confirm", From: upload.StateSent, Crew: pipeline.Light, Run: asking.Run},
		},
	})
}

func (w *world) upload() upload.Upload {
	w.t.Helper()
	u, err := w.journal.Get(w.t.Context(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// step lets the virtual clock go on to when the upload is due and runs the one
// stage that is next.
func (w *world) step() upload.Upload {
	w.t.Helper()
	u := w.upload()
	w.clock.advance(u.NextAttemptAt)
	crew := pipeline.Heavy
	if u.State == upload.StateSent {
		crew = pipeline.Light
		w.settleServer()
	}
	worked, err := w.pipeline.RunOnce(w.t.Context(), upload.Flu, crew)
	if err != nil || !worked {
		w.t.Fatalf("nothing done for %s: %v", u.State, err)
	}
	return w.upload()
}

// settleServer waits until the sandbox has worked off what it has.
func (w *world) settleServer() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	err := w.box.Await(ctx, func(r sandbox.Report) bool {
		for _, a := range r.Items {
			if !a.Status.Final() {
				return false
			}
		}
		return true
	})
	if err != nil {
		w.t.Fatalf("the sandbox does not come to an end: %v", err)
	}
}

// records keeps what is logged.
type records struct {
	mu  sync.Mutex
	all []slog.Record
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }

// Handle implements slog.Handler.
func (r *records) Handle(_ context.Context, x slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, x)
	return nil
}

// worst takes what was logged since it was last asked: the highest level.
func (r *records) worst() slog.Level {
	r.mu.Lock()
	defer r.mu.Unlock()
	level := slog.LevelDebug
	for _, x := range r.all {
		level = max(level, x.Level)
	}
	r.all = nil
	return level
}
