package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Errors that the interfaces below answer with; anything else, but for an
// *upload.Fault, is an internal error.
var (
	// ErrNotFound: there is no such upload.
	ErrNotFound = errors.New("not found")
	// ErrUnknownChannel: there is no such channel, or it is off.
	ErrUnknownChannel = errors.New("unknown channel")
	// ErrBadCursor: the cursor is none of ours, or belongs to other filters.
	ErrBadCursor = errors.New("bad cursor")
	// ErrNotPossible: not in the present state; wrap it to say why.
	ErrNotPossible = errors.New("not possible in the present state")
)

// Filter chooses uploads; the zero Filter chooses all.
type Filter struct {
	Channel       upload.Channel
	Kind          upload.Kind
	States        []upload.State   // any of them; empty: all
	Verdicts      []upload.Verdict // any of them; empty: all
	Filename      string           // contained in the name
	SpottedAfter  time.Time        // at or after; zero: no bound
	SpottedBefore time.Time        // before; zero: no bound
}

// Journal is what is read of the durable record.
type Journal interface {
	// Get fails with ErrNotFound.
	Get(ctx context.Context, id upload.ID) (upload.Upload, error)
	// List gives at most limit uploads, the latest spotted first, and the cursor
	// of the next page, empty on the last. It fails with ErrBadCursor.
	List(ctx context.Context, f Filter, cursor string, limit int) ([]upload.Upload, string, error)
	// Events gives everything that happened to an upload, oldest first.
	Events(ctx context.Context, id upload.ID) ([]upload.Event, error)
	// Findings gives at most limit findings of the severities (none: all), in
	// the order of the file, and the next cursor. It fails with ErrBadCursor.
	Findings(ctx context.Context, id upload.ID, severities []upload.Severity, cursor string, limit int) ([]upload.Finding, string, error)
}

// Feed is the journal's stream of events.
type Feed interface {
	// LastSeq is the number of the newest event; 0 where there is none.
	LastSeq(ctx context.Context) (int64, error)
	// EventsAfter gives at most limit events numbered above seq, in order.
	EventsAfter(ctx context.Context, seq int64, limit int) ([]upload.Event, error)
	// Changed gives a channel that is closed when an event is recorded after the
	// call. It may be nil where nobody can tell; the feed is also polled.
	Changed() <-chan struct{}
}

// Operator acts on one upload. Each call gives the upload as it is afterwards
// and fails with ErrNotFound, ErrNotPossible or upload.ErrIllegalTransition.
type Operator interface {
	Retry(ctx context.Context, id upload.ID) (upload.Upload, error)
	Cancel(ctx context.Context, id upload.ID) (upload.Upload, error)
	Restore(ctx context.Context, id upload.ID) (upload.Upload, error)
}

// Look is a request to look into the watched directories now.
type Look struct {
	Channel upload.Channel // empty: all
	Files   []string       // names in the directory; nil: all
	Force   bool
	DryRun  bool
}

// Looked is a file looked at, and what becomes of it.
type Looked struct {
	Channel  upload.Channel
	Filename string
	Kind     upload.Kind // empty: none of the channel's
	Size     int64       // below 0: not known
	Taken    bool        // an upload began, or would
	UploadID upload.ID   // that upload, or the one that has to do with the file already
	Reason   upload.Reason
}

// Trigger looks into the watched directories. It fails with ErrUnknownChannel.
type Trigger interface {
	Trigger(ctx context.Context, l Look) ([]Looked, error)
}

// Backlog is what is not finished on a channel.
type Backlog struct {
	Files  int64
	Bytes  int64
	Oldest time.Duration // age of the oldest; 0: none
	States map[upload.State]int64
}

// Channel is a channel as it is now.
type Channel struct {
	Name         upload.Channel
	State        string // open, paused, refused, offline, blocked
	Reason       upload.Reason
	Detail       string
	Since        time.Time
	NextProbeAt  time.Time
	ServerURL    string // shown without user and query
	Protocol     string
	WatchDir     string
	SettleMode   string
	WriterProbe  string // works, cannot_tell; empty: not tried
	Watching     string // events, rescans; empty: the directory is not there
	LeftAlone    int64  // files that are not ours
	Backlog      Backlog
	LastAccepted map[upload.Kind]time.Time
}

// Step is one thing a connection test tried.
type Step struct {
	Name   string
	OK     bool
	Detail string
	Took   time.Duration
}

// TestResult is what a connection test found; a refusal is a result, no error.
type TestResult struct {
	OK     bool
	Reason upload.Reason
	Detail string
	Steps  []Step
}

// Channels shows the channels and acts on them. All but List fail with
// ErrUnknownChannel.
type Channels interface {
	List(ctx context.Context) ([]Channel, error)
	Test(ctx context.Context, name upload.Channel) (TestResult, error)
	Pause(ctx context.Context, name upload.Channel) (Channel, error)
	Resume(ctx context.Context, name upload.Channel) (Channel, error)
}

// Obstacle is something in the way of liveness or readiness.
type Obstacle struct {
	Reason  upload.Reason
	Channel upload.Channel // empty: all
	Detail  string
}

// Health says how the program is; no obstacle means yes. Both must be quick and
// must not depend on the server or on telemetry.
type Health interface {
	Live(ctx context.Context) []Obstacle
	Ready(ctx context.Context) []Obstacle
}

// Sending is how far the present sending of an upload has come.
type Sending struct {
	Sent, Total    int64
	BytesPerSecond int64
}

// Progress knows the uploads being sent by this process.
type Progress interface {
	Sending(id upload.ID) (Sending, bool)
}

// Tokens gives the bearer tokens as they are now; empty: not configured.
type Tokens interface {
	Operator() string
	Viewer() string
}
