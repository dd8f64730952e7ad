package pack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// DefaultLevel is the compression level where none is chosen: on the measured
// files 6 is five times as fast as 9 and a tenth larger.
const DefaultLevel = 6

// DefaultRecheck is how long an upload waits before it asks again whether
// another one has delivered the same content.
const DefaultRecheck = 10 * time.Second

// DefaultSmall takes some milliseconds to digest.
const DefaultSmall = 8 << 20

// SweepAge is how long a file of a shared spool must have been left alone before
// Sweep takes it for an orphan: longer than any lease, and than clocks differ.
const SweepAge = 15 * time.Minute

// Source is a watched directory; its Look tells a file's identity, with
// fs.ErrNotExist and durable.ErrNotRegular as in package durable.
type Source interface {
	Look(name string) (upload.Identity, error)
}

// Contents knows which upload holds the right to deliver a content; the journal.
type Contents interface {
	// Holder is the upload other than except that holds digest on ch, if any.
	Holder(ctx context.Context, ch upload.Channel, digest string, except upload.ID) (upload.Upload, bool, error)
}

// Options are what a Stage is made of.
type Options struct {
	Spool    *durable.Dir // the spool's own directory
	Sources  map[upload.Channel]Source
	Contents Contents
	Limit    int64 // most bytes in the spool; 0: no limit
	Reserve  int64 // bytes to be left free on the spool's disk
	// Level chooses the compression level (1 to MostLevel) for a source of size
	// bytes; nil, or an answer of 0: DefaultLevel, or what is for small sources.
	Level func(ch upload.Channel, size int64) int
	// Packed is told how long a source of so many bytes took at a level, reading
	// and checking included, and how small it became; nil: nobody is.
	Packed  func(ch upload.Channel, level int, source, packed int64, took time.Duration)
	Recheck time.Duration // 0: DefaultRecheck
	// Small is up to how many bytes a packed copy is digested before every sending,
	// and so need not outlast a power cut; larger ones are digested once per process
	// and synced. 0: DefaultSmall.
	Small int64
	// Hold is how many bytes of small packed copies may wait in memory in all, for
	// some seconds, instead of having files; 0: none. Not where the spool is Shared.
	Hold int64
	// Shared says that other processes use the same spool: Sweep leaves alone what
	// was written to within SweepAge.
	Shared bool
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: discarded
}

// Stage is the stage from validated to packed, and the keeper of the spool. It
// is safe for use by several goroutines, as long as each works on another upload.
type Stage struct {
	o       Options
	writers compressors

	used    atomic.Int64 // bytes in the spool, once counted
	mu      sync.Mutex
	counted bool
	checked map[upload.ID]string // large packed copies whose digest this process has seen to be right
	grown   map[upload.ID]bool   // those that outgrew what was foretold: they are sent as they are

	holding  sync.Mutex // of what follows; taken before mu
	held     map[upload.ID]heldCopy
	heldSize atomic.Int64
	spill    *time.Timer // nil: nothing is held
	closed   bool
}

// New makes a Stage.
func New(o Options) *Stage {
	if o.Recheck <= 0 {
		o.Recheck = DefaultRecheck
	}
	if o.Small <= 0 {
		o.Small = DefaultSmall
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Stage{o: o, checked: map[upload.ID]string{}, grown: map[upload.ID]bool{}, held: map[upload.ID]heldCopy{}}
}

// Run takes a validated upload on. It is repeatable.
func (s *Stage) Run(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
	if again, err := s.changed(u); err != nil || again != "" {
		return s.resettle(u, again, err)
	}
	if whole, err := s.complete(u); err != nil || !whole {
		return s.resettle(u, upload.SpoolLost, err)
	}
	holder, held, err := s.o.Contents.Holder(ctx, u.Channel, u.Digest, u.ID)
	if err != nil {
		return upload.Outcome{}, fmt.Errorf("find who delivers the content: %w", err)
	}
	if !held {
		return upload.Packed(), s.commit(u)
	}
	return s.behind(u, holder)
}

// behind decides for an upload whose content another one holds.
func (s *Stage) behind(u, holder upload.Upload) (upload.Outcome, error) {
	switch {
	case holder.Verdict.Good() || holder.Verdict == upload.PartiallyAccepted:
		return upload.DeliveredEarlier(holder), s.Remove(u)
	case holder.Verdict == upload.Unresolved, holder.State == upload.StateCancelled, holder.State == upload.StateFailed:
		return upload.PackedAdopting(holder), s.commit(u)
	default:
		return upload.Hold(s.o.Recheck, upload.SameContentInFlight, string(holder.ID)), nil
	}
}

// changed compares the source with the content that was read; an empty reason
// says that it still is that content.
func (s *Stage) changed(u upload.Upload) (upload.Reason, error) {
	source, on := s.o.Sources[u.Channel]
	if !on {
		return "", upload.LocalFaultOf(upload.WatchDirMissing, "the channel is not configured any more", nil)
	}
	now, err := source.Look(u.Filename)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return upload.SourceVanished, nil
	case errors.Is(err, durable.ErrNotRegular):
		return upload.NotRegular, nil
	case err != nil:
		return "", durable.Fault(err, "look at the source")
	case now != u.Source:
		return upload.SourceChanged, nil
	default:
		return "", nil
	}
}

// resettle sends the upload back to be read again, its packed copy gone.
func (s *Stage) resettle(u upload.Upload, r upload.Reason, err error) (upload.Outcome, error) {
	if err == nil {
		err = s.Remove(u)
	}
	if err != nil {
		return upload.Outcome{}, err
	}
	return upload.Resettled(r), nil
}

// complete reports whether the packed copy is in the spool, under either name.
func (s *Stage) complete(u upload.Upload) (bool, error) {
	if b, held := s.heldOf(u.ID); held {
		return int64(len(b)) == u.PackedSize, nil
	}
	for _, name := range []string{partName(u.ID), zipName(u.ID)} {
		id, err := s.o.Spool.Look(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, durable.ErrNotRegular):
			return false, nil
		case err != nil:
			return false, durable.Fault(err, "look into the spool")
		default:
			return id.Size == u.PackedSize, nil
		}
	}
	return false, nil
}

// commit gives the packed copy its final name. Where a crashed run has done so,
// it makes sure that the name lasts; small ones need not, see Packing.sync.
func (s *Stage) commit(u upload.Upload) error {
	if _, held := s.heldOf(u.ID); held {
		return nil
	}
	err := s.o.Spool.RenameSoon(partName(u.ID), zipName(u.ID))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && u.PackedSize > s.o.Small {
		err = s.o.Spool.SyncDir(".")
	}
	if err != nil {
		return durable.Fault(err, "keep the packed copy")
	}
	return nil
}
