package retire

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Action is what to do with an original.
type Action string

// The actions.
const (
	// Archive moves it into the archive.
	Archive Action = "archive"
	// Quarantine moves it into the quarantine, with a result file beside it.
	Quarantine Action = "quarantine"
	// Delete removes it.
	Delete Action = "delete"
	// Keep leaves it where it is; for read-only volumes.
	Keep Action = "keep"
)

// Policy is a channel's wish.
type Policy struct {
	OnAccepted Action // accepted and duplicate; empty: Archive
	OnRejected Action // the rest; empty: Quarantine. Delete quarantines an unresolved original.
	Markers    bool   // marker files (.ok, .done) belong to the originals and go with them
}

// Spool holds packed copies.
type Spool interface {
	// Remove removes the packed copy of u; none being there is no fault.
	Remove(u upload.Upload) error
}

// Findings knows what validation found.
type Findings interface {
	// Findings are the first findings of the upload id, at most limit.
	Findings(ctx context.Context, id upload.ID, limit int) ([]upload.Finding, error)
}

// Options are what a Stage is made of.
type Options struct {
	Watch    map[upload.Channel]*durable.Dir // watched directories
	State    *durable.Dir                    // the state directory
	Policies map[upload.Channel]Policy
	Spool    Spool
	Findings Findings
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: discarded
}

// Stage is the stage from decided to retired.
type Stage struct{ o Options }

// New makes a Stage.
func New(o Options) *Stage {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Stage{o: o}
}

// ending is where an original ended up, and why it is not where the policy says.
type ending struct {
	place  upload.Place
	path   string
	reason upload.Reason
}

// Run puts the original of a decided upload away. It is repeatable; its error
// is a local fault, or the context's.
func (s *Stage) Run(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
	return s.run(ctx, u, false)
}

// First is Run for an upload that hardly any run can have begun with, since nobody
// but the caller has held it from its verdict on. It looks for what a run that broke
// off may have left only where the original is not in its place: one that an earlier
// verdict was about may have been set aside. If it fails, Run has to follow.
func (s *Stage) First(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
	return s.run(ctx, u, true)
}

func (s *Stage) run(ctx context.Context, u upload.Upload, first bool) (upload.Outcome, error) {
	w, on := s.o.Watch[u.Channel]
	if !on {
		return upload.Outcome{}, upload.LocalFaultOf(upload.WatchDirMissing, "the channel is not configured any more", nil)
	}
	r := retirement{Stage: s, u: u, watch: w, plan: s.plan(u), first: first}
	end, err := r.putAway(ctx)
	if err == nil && (!r.first || end.reason != "") { // else there is nothing to tidy
		err = r.tidy(end)
	}
	if err == nil {
		err = s.o.Spool.Remove(u)
	}
	switch {
	case err == nil:
		return upload.Retired(end.place, end.path, end.reason), nil
	case ctx.Err() != nil:
		return upload.Outcome{}, ctx.Err()
	default:
		return upload.Outcome{}, durable.Fault(err, "put the original away")
	}
}

// plan is where the policy wants the original.
func (s *Stage) plan(u upload.Upload) upload.Place {
	p := s.o.Policies[u.Channel]
	action := p.OnRejected
	if u.Verdict.Good() {
		action = p.OnAccepted
	}
	switch {
	case action == Keep:
		return upload.InWatch
	case action == Delete && u.Verdict != upload.Unresolved:
		return upload.Deleted
	default:
		return home(u)
	}
}

// home is where an original belongs that is neither kept nor deleted.
func home(u upload.Upload) upload.Place {
	if u.Verdict.Good() {
		return upload.InArchive
	}
	return upload.InQuarantine
}

// retirement is one run for one upload.
type retirement struct {
	*Stage
	u     upload.Upload
	watch *durable.Dir
	plan  upload.Place
	first bool // nothing was begun by another run, as far as is known
}

func (r *retirement) putAway(ctx context.Context) (ending, error) {
	if !r.first {
		_, err := r.watch.Look(asideName(r.u.ID))
		if err == nil {
			return r.fromAside(ctx) // a run that crashed, or was held up, got this far
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return ending{}, err
		}
	}
	now, err := r.watch.Look(r.u.Filename)
	switch {
	case err == nil && now == r.u.Source && r.plan == upload.InWatch:
		return ending{upload.InWatch, r.u.Filename, ""}, nil
	case err == nil && now == r.u.Source:
		if err := r.setAside(); err != nil {
			return ending{}, err
		}
		return r.fromAside(ctx)
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, durable.ErrNotRegular):
		return ending{}, err
	case r.first:
		r.first = false
		return r.putAway(ctx)
	}
	if end, done, err := r.already(); done || err != nil {
		return end, err
	}
	if err == nil {
		return ending{upload.InWatch, r.u.Filename, upload.OriginalChanged}, nil
	}
	return ending{upload.Gone, "", upload.OriginalGone}, nil
}

// already finds what a run that was not recorded has done, and makes it last.
func (r *retirement) already() (ending, bool, error) {
	for _, end := range []ending{
		{upload.InArchive, pathOf(upload.InArchive, r.u), ""},
		{upload.InQuarantine, pathOf(upload.InQuarantine, r.u), ""},
		{upload.InQuarantine, changedPathOf(r.u), upload.OriginalChanged},
		{upload.Deleted, "", ""},
	} {
		trace := end.path
		if end.place == upload.Deleted {
			trace = tombstone(r.u.ID)
		}
		_, err := r.o.State.Look(trace)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = r.settleDown(trace)
		}
		if err == nil && end.reason == "" {
			err = r.removeMarkers()
		}
		return end, true, err
	}
	return ending{}, false, nil
}
