package watch

import (
	"errors"
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// EventState says what the operating system's events are worth here.
type EventState string

// The event states.
const (
	// EventsOff: none; files are found by the rescan alone.
	EventsOff EventState = "off"
	// EventsOn: the watch is set up.
	EventsOn EventState = "on"
	// EventsLocal: set up, but on a file system where other machines may write
	// unheard.
	EventsLocal EventState = "local_only"
)

// SelfTest is how the canary fared.
type SelfTest string

// The outcomes of a self-test.
const (
	// TestNone: not made, for want of a directory or of events.
	TestNone SelfTest = "not_made"
	// TestPending: the event has not come yet.
	TestPending SelfTest = "pending"
	// TestOK: the event came.
	TestOK SelfTest = "ok"
	// TestNoEvents: the event did not come; the rescan does it all.
	TestNoEvents SelfTest = "no_events"
	// TestReadOnly: no canary can be made, so events were not tested.
	TestReadOnly SelfTest = "read_only"
)

// Counts says what the last scan found.
type Counts struct {
	Ours        int // files of this channel's kinds
	Ignored     int // temporary and hidden names, markers
	NotOurs     int // files of no kind of this channel
	Directories int // sub-directories, not looked into
	Unfit       int // reported and not taken
}

// Unfit is something that cannot be taken, and why.
type Unfit struct {
	Name   string // fit to be shown: what is not printable is escaped
	Reason upload.Reason
}

// maxUnfit bounds how many are named.
const maxUnfit = 50

// Status is how the watch stands.
type Status struct {
	Path       string
	Reason     upload.Reason // why the directory cannot be read; empty: it can
	Detail     string        // of Reason
	FileSystem string        // e.g. "ext4", "nfs"; empty: not known
	Network    bool          // other machines may write to it unheard

	Events       EventState
	EventsDetail string // why they are off, or only half on
	SelfTest     SelfTest
	Overflows    int // times that events were lost

	Counts
	UnfitFiles   []Unfit // the first ones
	LastScan     time.Time
	LastScanTook time.Duration
	Looked       int // files of Ours that the last scan looked at; of the others it read the names

	Pending int           // files the journal could not be told of yet
	Journal upload.Reason // why; empty: it can
}

// Status gives the present status; it never waits for the watch.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.UnfitFiles = slices.Clone(s.UnfitFiles)
	return s
}

// addUnfit reports something that an event named; the next scan counts anew.
func (o *owner) addUnfit(name string, why upload.Reason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	u := Unfit{Name: escape(name), Reason: why}
	if len(o.status.UnfitFiles) < maxUnfit && !slices.Contains(o.status.UnfitFiles, u) {
		o.status.UnfitFiles = append(o.status.UnfitFiles, u)
		o.status.Unfit++
	}
}

// reasonOf says why a directory or a file could not be looked at.
func reasonOf(err error) upload.Reason {
	if errors.Is(err, durable.ErrNoDir) {
		return upload.WatchDirMissing
	}
	return durable.Fault(err, "").Reason
}
