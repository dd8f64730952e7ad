package watch

import (
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// missingRetry is how soon a directory that could not be read is tried again.
const missingRetry = 5 * time.Second

// rescan reads the whole directory: what is new or changed gets in line for the
// ledger, what is gone is forgotten. The watch is set up first.
func (o *owner) rescan(now time.Time) {
	o.arm(now)
	o.scans++
	o.scanAt = now
	s := scan{owner: o, now: now, turn: o.turn()}
	err := o.opts.Dir.Each(s.sift, s.visit)
	o.whole = err != nil
	same := int(s.same.Load())
	s.counts.Ours += same
	s.looks += int(s.looked.Load())
	if err == nil && same+s.met < len(o.known) {
		o.forgetUnseen()
	}
	took := o.now().Sub(now)
	o.scanTook = took
	o.rescanAt = o.now().Add(o.opts.Rescan)
	if err != nil {
		o.rescanAt = o.now().Add(min(o.opts.Rescan, missingRetry))
	}
	o.report(&s, err, now, took)
}

func (o *owner) report(s *scan, err error, at time.Time, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.status.Reason
	o.status.LastScan, o.status.LastScanTook, o.status.Pending = at.UTC(), took, o.pending.len()
	if err != nil {
		o.status.Reason, o.status.Detail = reasonOf(err), err.Error()
	} else {
		o.status.Reason, o.status.Detail = "", ""
		o.status.Counts, o.status.UnfitFiles, o.status.Looked = s.counts, s.unfit, s.looks
	}
	switch now := o.status.Reason; {
	case now == was:
	case now != "":
		o.opts.Logger.Error("watched directory cannot be read; it is tried again by itself",
			"channel", string(o.opts.Channel), "reason", string(now), "error", o.status.Detail)
	default:
		o.opts.Logger.Info("watched directory can be read again", "channel", string(o.opts.Channel))
	}
}

// forgetUnseen forgets the files that a whole scan did not meet.
func (o *owner) forgetUnseen() {
	for name, f := range o.known {
		if f.scan.Load() != o.scans {
			delete(o.known, name)
			o.dropHint(name)
		}
	}
}

// scan is one reading of the directory.
type scan struct {
	*owner
	now    time.Time
	turn   share // of the known files, that is looked at
	counts Counts
	unfit  []Unfit
	met    int // known files among those visited
	looks  int // files that were looked at

	same, recheck atomic.Int64 // known files that are not visited; that are asked about again
	looked        atomic.Int64 // known files that were looked at
}

// ahead is how many entries are looked up before anything is done about them: so many
// waits for memory overlap, which noting that a file was met would keep apart.
const ahead = 64

// sift leaves out what need not be visited: known files that have not changed,
// which in most scans are all. It runs in several goroutines while the owner does
// nothing but visit, which leaves what is known as it is.
func (s *scan) sift(all []Entry) []Entry {
	left, same, looked := all[:0], int64(0), int64(0)
	var files [ahead]*file
	for entries := range slices.Chunk(all, ahead) {
		skipped := s.lookUp(entries, &files)
		for i, e := range entries {
			f, skip := files[i], skipped>>i&1 == 1
			if f != nil && !skip {
				looked++
			}
			switch {
			case f == nil || !skip && !s.unchanged(f, e):
				left = append(left, e)
			case f.meet(s.scans):
				same++
			}
		}
	}
	s.same.Add(same)
	s.looked.Add(looked)
	return left
}

// lookUp gives what is known of each entry, and a bit for each that need not be looked at.
func (s *scan) lookUp(entries []Entry, files *[ahead]*file) (skipped uint64) {
	for i := range entries {
		files[i] = s.known[entries[i].Name]
	}
	for i := range entries {
		if f := files[i]; f != nil && s.skips(f, &entries[i]) {
			skipped |= 1 << i
		}
	}
	return skipped
}

// unchanged looks at a file and reports whether it is as it was when the ledger was
// asked about it, and that was not so long ago that another replica may have ended its
// upload.
func (s *scan) unchanged(f *file, e Entry) bool {
	id, err := e.Look()
	if err != nil || id != f.id {
		return false
	}
	due := f.open && s.age(s.now)-f.checked >= age(recheckAfter*s.opts.Rescan)
	return !due || s.recheck.Add(1) > recheckMost
}

// visit looks at one entry; it never stops the scan.
func (s *scan) visit(e Entry) error {
	is, known := classOurs, s.known[e.Name] != nil
	if !known { // what is known was classified before
		is = s.classify(e.Name)
	}
	switch is {
	case classIgnored:
		s.counts.Ignored++
		s.sweepCanary(e, s.now)
		return nil
	case classInvalid:
		s.refuse(e.Name, upload.NameInvalid)
		return nil
	case classUnknown:
		if e.Type.IsDir() {
			s.counts.Directories++
		} else {
			s.counts.NotOurs++
		}
		return nil
	case classOurs:
	}
	id, err := e.Look()
	if !known {
		s.looks++
	}
	switch {
	case errors.Is(err, durable.ErrNotRegular):
		s.refuse(e.Name, upload.NotRegular)
	case errors.Is(err, fs.ErrNotExist): // gone since it was listed
	case err != nil:
		s.counts.Ours++
		s.refuse(e.Name, reasonOf(err))
	default:
		s.counts.Ours++
		s.found(e.Name, id)
	}
	return nil
}

// found puts a file in line that the ledger is to be asked about.
func (s *scan) found(name string, id upload.Identity) {
	if f := s.known[name]; f != nil && f.meet(s.scans) {
		s.met++
	}
	if s.pending.has(name) && s.pending.byName[name].Seen == id {
		return
	}
	s.enqueue(name, id, s.now, false)
}

func (s *scan) refuse(name string, why upload.Reason) {
	s.counts.Unfit++
	if len(s.unfit) < maxUnfit {
		s.unfit = append(s.unfit, Unfit{Name: escape(name), Reason: why})
	}
}
