package settle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Mode says what makes a file complete.
type Mode string

// The modes, as the setting spells them; the package comment explains them.
const (
	Auto   Mode = "auto"
	Closed Mode = "closed"
	Quiet  Mode = "quiet"
	Marker Mode = "marker"
)

// Modes lists the modes, the default first.
func Modes() []Mode { return []Mode{Auto, Closed, Quiet, Marker} }

// Directory is the watched directory as this stage needs it.
type Directory interface {
	// Path is the directory's path.
	Path() string
	// Look gives a file's identity without following links: fs.ErrNotExist of a
	// file (and never of a directory that is not mounted: durable.ErrNoDir),
	// durable.ErrNotRegular, or another error.
	Look(name string) (upload.Identity, error)
	// Open opens a regular file for reading.
	Open(name string) (io.ReadCloser, error)
}

// Hints is what the watch knows of a file's coming.
type Hints interface {
	// RenamedIntoPlace reports whether the file that now has identity id got its
	// name by a rename from an ignored name in the same directory, and was not
	// written since. When in doubt it is false.
	RenamedIntoPlace(name string, id upload.Identity) bool
}

// ChannelOptions is how one channel's files settle.
type ChannelOptions struct {
	Dir   Directory
	Mode  Mode          // empty: auto
	Quiet time.Duration // 0: two seconds
	Hints Hints         // nil: none
	Probe Prober        // nil: the operating system's
}

// Options configure the stage.
type Options struct {
	Channels map[upload.Channel]ChannelOptions
	Now      func() time.Time // nil: time.Now; must carry a monotonic reading
}

// Stage decides when files are complete. It is safe for concurrent use.
type Stage struct {
	channels map[upload.Channel]*channel
	memory   *memory
	now      func() time.Time
}

type channel struct {
	ChannelOptions
	probes probeRecord
}

// New makes the stage.
func New(o Options) *Stage {
	s := &Stage{channels: map[upload.Channel]*channel{}, memory: newMemory(), now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	for name, c := range o.Channels {
		if c.Mode == "" {
			c.Mode = Auto
		}
		if c.Quiet <= 0 {
			c.Quiet = 2 * time.Second
		}
		if c.Probe == nil {
			c.Probe = probeSystem
		}
		s.channels[name] = &channel{ChannelOptions: c}
	}
	return s
}

// Run looks at the file of a spotted upload: Settled when it is complete,
// HoldLooking (or Hold) while it is not, Vanished when it is gone, Unfit when a
// directory, pipe or link has taken its place. Faults are of the local file
// system. Run may be repeated at will; looking more often changes nothing.
func (s *Stage) Run(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
	ch, ok := s.channels[u.Channel]
	if !ok {
		return upload.Outcome{}, upload.PassingFault(upload.InternalFault, "settle: channel not configured", nil)
	}
	now := s.now()
	seen, err := ch.Dir.Look(u.Filename)
	if err != nil {
		return s.unseen(u, err)
	}
	l := s.memory.look(u.ID, seen, now)
	switch ch.Mode {
	case Quiet:
		if l.still < ch.Quiet {
			return waiting(l, ch.Quiet), nil
		}
		return s.complete(ch, u, l)
	case Closed:
		return s.closed(ch, u, l)
	case Marker:
		return s.marked(ctx, ch, u, l)
	default:
		return s.auto(ch, u, l)
	}
}

// AtSight reports whether a file that has only just been seen is complete already:
// it was renamed into place, or in mode closed its writer is done, and nobody has it
// open for writing. False is no statement: Run decides then. It may be asked at will.
func (s *Stage) AtSight(seen upload.Sighting) bool {
	ch, ok := s.channels[seen.Channel]
	if !ok {
		return false
	}
	switch ch.Mode {
	case Auto:
		ok = ch.renamed(seen.Filename, seen.Seen)
	case Closed:
		ok = seen.Seen.Size > 0 || ch.renamed(seen.Filename, seen.Seen)
	default:
		ok = false
	}
	if !ok || ch.probe(seen.Filename, seen.Seen) != Nobody {
		return false
	}
	again, err := ch.Dir.Look(seen.Filename) // a writer may have come between the sighting and the probe
	return err == nil && again == seen.Seen
}

// auto is the default mode.
func (s *Stage) auto(ch *channel, u upload.Upload, l look) (upload.Outcome, error) {
	if !ch.renamed(u.Filename, l.seen) && l.still < ch.Quiet {
		return waiting(l, ch.Quiet), nil
	}
	switch ch.probe(u.Filename, l.seen) {
	case Writing:
		return s.writing(ch, u, l), nil
	case Unknown:
		if l.still < 2*ch.Quiet {
			return waiting(l, 2*ch.Quiet), nil
		}
	case Nobody:
	}
	return s.complete(ch, u, l)
}

// closed takes the kernel's word that the writer is done, unless nothing has
// been written yet.
func (s *Stage) closed(ch *channel, u upload.Upload, l look) (upload.Outcome, error) {
	if l.seen.Size == 0 {
		return s.auto(ch, u, l)
	}
	switch ch.probe(u.Filename, l.seen) {
	case Writing:
		return s.writing(ch, u, l), nil
	case Nobody:
		return s.complete(ch, u, l)
	default:
		return s.auto(ch, u, l)
	}
}

// complete looks once more, since a writer may have come between the first look
// and the probe; what comes later is found by the comparison after the read.
func (s *Stage) complete(ch *channel, u upload.Upload, l look) (upload.Outcome, error) {
	again, err := ch.Dir.Look(u.Filename)
	if err != nil {
		return s.unseen(u, err)
	}
	if again != l.seen {
		return waiting(s.memory.look(u.ID, again, s.now()), ch.Quiet), nil
	}
	s.memory.forget(u.ID)
	return upload.Settled(again), nil
}

// writing holds while somebody has the file open for writing. The quiet period
// begins anew: an exporter that closes and opens its file between rows must not
// be caught in the moment between.
func (s *Stage) writing(ch *channel, u upload.Upload, l look) upload.Outcome {
	s.memory.restart(u.ID, s.now())
	return upload.HoldLooking(pause(l, min(ch.Quiet, time.Second), 5*time.Second), upload.WriterOpen, l.seen)
}

// waiting holds until the file has been unchanged for need.
func waiting(l look, need time.Duration) upload.Outcome {
	why := upload.QuietPeriod
	if l.changed {
		why = upload.StillChanging
	}
	return upload.HoldLooking(need-l.still, why, l.seen)
}

// pause grows with how long the upload has been here, so that what waits for
// hours is not looked at every second; events call earlier.
func pause(l look, least, most time.Duration) time.Duration {
	return min(max(l.age/8, least), most)
}

// unseen tells what it means that the file could not be looked at.
func (s *Stage) unseen(u upload.Upload, err error) (upload.Outcome, error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.memory.forget(u.ID)
		return upload.Vanished(), nil
	case errors.Is(err, durable.ErrNotRegular):
		s.memory.forget(u.ID)
		return upload.Unfit(upload.NotRegular), nil
	default:
		return upload.Outcome{}, durable.Fault(err, "look at the file")
	}
}

func (c *channel) renamed(name string, seen upload.Identity) bool {
	return c.Hints != nil && c.Hints.RenamedIntoPlace(name, seen)
}

func (c *channel) probe(name string, seen upload.Identity) Writer {
	w, doubt := c.Probe(filepath.Join(c.Dir.Path(), name), seen)
	c.probes.note(w, doubt)
	return w
}

// Status says how a channel's files settle. ok is false for a channel that is
// not configured.
func (s *Stage) Status(name upload.Channel) (st Status, ok bool) {
	ch, ok := s.channels[name]
	if !ok {
		return Status{}, false
	}
	st.Mode, st.Quiet = ch.Mode, ch.Quiet
	st.Probe, st.Doubt = ch.probes.state()
	return st, true
}

// Status is one channel's way of settling.
type Status struct {
	Mode  Mode
	Quiet time.Duration
	Probe ProbeState
	Doubt Doubt // why the probe cannot say; else empty
}

// From makes the watched directory d fit this stage.
func From(d *durable.Dir) Directory { return directory{d} }

type directory struct{ *durable.Dir }

func (d directory) Open(name string) (io.ReadCloser, error) {
	f, err := d.OpenRead(name)
	if err != nil {
		return nil, fmt.Errorf("open for reading: %w", err)
	}
	return f, nil
}
