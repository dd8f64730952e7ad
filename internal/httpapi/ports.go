package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Errors that the interfaces below answer with, besides those of the journal;
// anything else, but for an *upload.Fault, is an internal error.
var (
	// ErrUnknownChannel: there is no such channel, or it is off.
	ErrUnknownChannel = errors.New("unknown channel")
	// ErrUnfitting: what is asked for does not fit together. Wrap it to say why:
	// its text is shown to the client.
	ErrUnfitting = errors.New("unfitting request")
	// ErrNotPossible: not in the present state. Wrap it to say why: its text is
	// shown to the client.
	ErrNotPossible = errors.New("not possible in the present state")
	// ErrNoReceiver: alerts are not sent to anybody.
	ErrNoReceiver = errors.New("there is no receiver of alerts")
)

// Journal is what is read of the durable record; *journal.Journal is one.
type Journal interface {
	Get(ctx context.Context, id upload.ID) (upload.Upload, error)
	List(ctx context.Context, f journal.Filter, cursor string, limit int) (journal.Page, error)
	Events(ctx context.Context, id upload.ID) ([]upload.Event, error)
	Findings(ctx context.Context, id upload.ID, f journal.FindingFilter) ([]journal.NumberedFinding, error)
}

// Feed is the journal's stream of events; *journal.Journal is one.
type Feed interface {
	LastEvent(ctx context.Context) (int64, error)
	EventsAfter(ctx context.Context, seq int64, limit int) ([]upload.Event, error)
	// Subscribe gives a channel that receives at least once after the last
	// change, and is closed when ctx ends.
	Subscribe(ctx context.Context) <-chan struct{}
}

// Operator acts on one upload. Each call gives the upload as it is afterwards
// and fails with journal.ErrNotFound, journal.ErrConflict, ErrNotPossible or
// upload.ErrIllegalTransition; fs.ErrExist where a name is taken.
type Operator interface {
	Retry(ctx context.Context, id upload.ID) (upload.Upload, error)
	Cancel(ctx context.Context, id upload.ID) (upload.Upload, error)
	// Restore puts the original back: as a new upload, or as a file only.
	Restore(ctx context.Context, id upload.ID, fileOnly bool) (upload.Upload, error)
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

// Body is a file to be checked, with what is known of it.
type Body struct {
	io.Reader
	Filename string
	Channel  upload.Channel // empty: whichever takes such a name
	Standard string         // empty: by the header
}

// Preview checks a file and keeps nothing. A file that nobody takes, or a
// standard that is not there, is ErrUnfitting; wrap it to say why.
type Preview interface {
	Preview(ctx context.Context, b Body) (Previewed, error)
}

// Previewed is what was found in a file; no cell's value is in it.
type Previewed struct {
	Kind              upload.Kind
	Standard, Charset string
	Bytes             int64
	Rows, RowsInError int64
	Tally             upload.Tally
	Findings          []upload.Finding // the first ones
	Counts            []Broken
}

// Broken says how often a rule was broken in a column.
type Broken struct {
	Rule, Column string
	Severity     upload.Severity
	Count        int64
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
	Name   upload.Channel
	State  string // as package channel names it
	Reason upload.Reason
	Detail string
	// ServerMessage is what the server said when it refused: shown, never logged.
	ServerMessage string
	PausedBy      string
	Since         time.Time
	NextProbeAt   time.Time
	ServerURL     string // shown without user and query
	Protocol      string
	WatchDir      string
	SettleMode    string
	WriterProbe   string // works, cannot_say; empty: not tried
	Watching      string // events, rescans; empty: the directory is not there
	LeftAlone     int64  // files that are not ours
	LinkSpeed     int64  // of late uploads, in bits per second; 0: not known
	Directory     Directory
	Backlog       Backlog
	LastAccepted  map[upload.Kind]time.Time
}

// Directory is a watched directory as of the last look.
type Directory struct {
	FileSystem             string
	Network                bool
	SelfTest               string
	ProbeDoubt             string // empty: none
	Overflows              int
	Ours, Ignored, NotOurs int
	Unfit                  []Unfit // the first ones
	LastScan               time.Time
	LastScanTook           time.Duration
	Looked                 int // files of Ours that the last scan looked at
}

// Unfit is something that cannot be taken, and why.
type Unfit struct {
	Name   string // fit to be shown
	Reason upload.Reason
}

// StepState is how far a step of a connection test has come.
type StepState string

// The states of a step.
const (
	StepRunning StepState = "running"
	StepPassed  StepState = "passed"
	StepWarned  StepState = "warning" // nothing that stops a delivery
	StepFailed  StepState = "failed"
)

// Step is one thing a connection test tries. Its words are in the phrase
// catalogue under test.step and its name.
type Step struct {
	Name   string
	State  StepState
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
	// Test tells of each step when it begins and when it ends, before it returns
	// them all; of a channel it does not know it tells nothing.
	Test(ctx context.Context, name upload.Channel, tell func(Step)) (TestResult, error)
	Pause(ctx context.Context, name upload.Channel) (Channel, error)
	Resume(ctx context.Context, name upload.Channel) (Channel, error)
}

// Alerts shows what people are told of, and acts on it.
type Alerts interface {
	List(ctx context.Context, openOnly bool, cursor string, limit int) (journal.AlertPage, error)
	Open(ctx context.Context) (int64, error)
	// Acknowledge fails with journal.ErrNotFound or alert.ErrOver.
	Acknowledge(ctx context.Context, id string) (journal.Alert, error)
	// Test sends a message; ErrNoReceiver: there is nobody to send it to.
	Test(ctx context.Context) (TestResult, error)
}

// LogQuery says which lines of the log are wanted; zero values do not choose.
type LogQuery struct {
	Level    slog.Level // and above
	Channel  string
	UploadID string
	Before   int64 // only lines of a smaller Seq; 0: the latest
	Limit    int
}

// LogLine is a line of the log, as it was written.
type LogLine struct {
	Seq        int64 // grows by one from line to line
	Time       time.Time
	Level      slog.Level
	Message    string
	Attributes map[string]any
}

// Setting is a variable with the value in effect.
type Setting struct {
	Variable string
	Value    string // of a secret: anything that says whether it is set, never itself
	Source   string // default, environment, file
	Secret   bool
	Meaning  string // the phrase that says what it is for
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

// Pace is when and how fast may be uploaded.
type Pace struct {
	Open          bool      // an upload may begin now
	ChangesAt     time.Time // when that changes; zero: never
	Window, Limit string    // as they were set; empty: not
	BitsPerSecond int64     // the limit now; 0: none
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
