package watch

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Request is an operator's wish to have the directory looked at now.
type Request struct {
	// Files limits it to these names; patterns as of path.Match may be among
	// them. Empty: every file.
	Files []string
	// Force takes also what was dealt with before and left in place.
	Force bool
	// DryRun takes nothing and says what would be taken.
	DryRun bool
}

// Seen says what becomes of one name. Either it is taken, or Reason says why not.
type Seen struct {
	Filename string // fit to be shown: what is not printable is escaped
	Kind     upload.Kind
	Size     int64
	Taken    bool          // an upload began; in a dry run: would begin
	UploadID upload.ID     // the upload that began, or that is underway, or that dealt with it
	Reason   upload.Reason // why it is not taken; empty if it is
}

type request struct {
	Request
	seen  []Seen
	wait  map[string]int // names in line for the ledger → index in seen
	reply chan error     // capacity 1
}

// Scan reads the directory now and answers for every name in it that the
// request is about, in order of names, after the ledger has been told of what
// is taken. It fails when the directory cannot be read, the ledger fails, ctx
// ends, or the watcher does not run any more; what was in line stays in line.
func (w *Watcher) Scan(ctx context.Context, r Request) ([]Seen, error) {
	for _, pattern := range r.Files {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("file pattern: %w", err)
		}
	}
	q := &request{Request: r, wait: map[string]int{}, reply: make(chan error, 1)}
	if r.DryRun {
		return w.foretell(ctx, q)
	}
	w.mu.Lock()
	w.requests = append(w.requests, q)
	w.mu.Unlock()
	w.notify()
	select {
	case err := <-q.reply:
		if err != nil {
			return nil, err
		}
		return q.sorted(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.stopped:
		return nil, ErrStopped
	}
}

func (q *request) sorted() []Seen {
	slices.SortFunc(q.seen, func(a, b Seen) int { return strings.Compare(a.Filename, b.Filename) })
	return q.seen
}

// foretell answers a dry run. It needs nothing of the watch but its settings, so
// it works also while the watch is busy or not running.
func (w *Watcher) foretell(ctx context.Context, q *request) ([]Seen, error) {
	err := w.survey(q, func(s Seen, name string, id upload.Identity) (Seen, error) {
		u, how, err := w.opts.Ledger.Foretell(ctx, upload.Sighting{
			Channel: w.opts.Channel, Kind: s.Kind, Filename: name, Seen: id, Forced: q.Force, At: w.opts.Now().UTC(),
		})
		if err != nil {
			return s, fmt.Errorf("ask the journal: %w", err)
		}
		return s.became(u, how), nil
	})
	if err != nil {
		return nil, err
	}
	return q.sorted(), nil
}

// answer lists the directory for q; what is to be taken gets in line.
func (o *owner) answer(q *request) {
	err := o.survey(q, func(s Seen, name string, id upload.Identity) (Seen, error) {
		o.enqueue(name, id, o.now(), q.Force)
		q.wait[name] = len(q.seen)
		return s, nil
	})
	if err != nil || len(q.wait) == 0 {
		q.reply <- err
		return
	}
	o.waiting = append(o.waiting, q)
}

// survey lists what is in the directory that q is about, with the reason why
// not for all that is not ours; ours decides about the rest.
func (w *Watcher) survey(q *request, ours func(s Seen, name string, id upload.Identity) (Seen, error)) error {
	met := map[string]bool{}
	err := w.opts.Dir.Each(nil, func(e Entry) error {
		if !q.about(e.Name) {
			return nil
		}
		met[e.Name] = true
		s, err := w.surveyed(e, ours)
		if err == nil {
			q.seen = append(q.seen, s)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("survey the watched directory: %w", err)
	}
	for _, name := range q.Files {
		if !met[name] && !strings.ContainsAny(name, `*?[\`) {
			q.seen = append(q.seen, Seen{Filename: escape(name), Reason: upload.SourceVanished})
		}
	}
	return nil
}

func (w *Watcher) surveyed(e Entry, ours func(s Seen, name string, id upload.Identity) (Seen, error)) (Seen, error) {
	s := Seen{Filename: escape(e.Name)}
	switch w.classify(e.Name) {
	case classIgnored:
		s.Reason = upload.NameIgnored
	case classInvalid:
		s.Reason = upload.NameInvalid
	case classUnknown:
		s.Reason = upload.NameUnknown
		if e.Type.IsDir() {
			s.Reason = upload.NotRegular
		}
	case classOurs:
		s.Kind, _ = w.opts.Kinds(e.Name)
		id, err := e.Look()
		if err != nil {
			s.Reason = reasonOf(err)
			return s, nil
		}
		s.Size = id.Size
		return ours(s, e.Name, id)
	}
	return s, nil
}

func (q *request) about(name string) bool {
	return len(q.Files) == 0 || slices.ContainsFunc(q.Files, func(pattern string) bool {
		hit, err := path.Match(pattern, name)
		return pattern == name || (err == nil && hit)
	})
}

// became fills in what the ledger said.
func (s Seen) became(u upload.Upload, how upload.Spotting) Seen {
	s.UploadID, s.Taken, s.Reason = u.ID, false, ""
	switch how {
	case upload.Began:
		s.Taken = true
	case upload.Underway:
		s.Reason = upload.InProgress
	case upload.Known:
		s.Reason = upload.AlreadyKnown
	}
	return s
}

// resolve tells the requests in waiting what became of a file.
func (o *owner) resolve(name string, r Seen) {
	o.waiting = slices.DeleteFunc(o.waiting, func(q *request) bool {
		i, ok := q.wait[name]
		if !ok {
			return false
		}
		q.seen[i].Taken, q.seen[i].Reason, q.seen[i].UploadID = r.Taken, r.Reason, r.UploadID
		delete(q.wait, name)
		if len(q.wait) > 0 {
			return false
		}
		q.reply <- nil
		return true
	})
}

func (o *owner) failWaiting(err error) {
	for _, q := range o.waiting {
		q.reply <- fmt.Errorf("tell the journal: %w", err)
	}
	o.waiting = nil
}
