package watch

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
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
	w.mu.Lock()
	w.requests = append(w.requests, q)
	w.mu.Unlock()
	w.notify()
	select {
	case err := <-q.reply:
		if err != nil {
			return nil, err
		}
		slices.SortFunc(q.seen, func(a, b Seen) int { return strings.Compare(a.Filename, b.Filename) })
		return q.seen, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.stopped:
		return nil, ErrStopped
	}
}

// answer lists the directory for q; what is to be taken gets in line.
func (o *owner) answer(q *request) {
	met := map[string]bool{}
	err := o.opts.Dir.Each(func(e Entry) error {
		if q.about(e.Name) {
			met[e.Name] = true
			o.answerFor(q, e)
		}
		return nil
	})
	if err != nil {
		q.reply <- fmt.Errorf("read the watched directory: %w", err)
		return
	}
	for _, name := range q.Files {
		if !met[name] && !strings.ContainsAny(name, `*?[\`) {
			q.seen = append(q.seen, Seen{Filename: escape(name), Reason: upload.SourceVanished})
		}
	}
	if len(q.wait) == 0 {
		q.reply <- nil
		return
	}
	o.waiting = append(o.waiting, q)
}

func (q *request) about(name string) bool {
	return len(q.Files) == 0 || slices.ContainsFunc(q.Files, func(pattern string) bool {
		hit, err := path.Match(pattern, name)
		return pattern == name || (err == nil && hit)
	})
}

func (o *owner) answerFor(q *request, e Entry) {
	s := Seen{Filename: escape(e.Name)}
	switch o.classify(e.Name) {
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
		o.answerForOurs(q, e, s)
		return
	}
	q.seen = append(q.seen, s)
}

func (o *owner) answerForOurs(q *request, e Entry, s Seen) {
	s.Kind, _ = o.opts.Kinds(e.Name)
	id, err := e.Look()
	if err != nil {
		s.Reason = reasonOf(err)
		if errors.Is(err, durable.ErrNotRegular) {
			s.Reason = upload.NotRegular
		}
		q.seen = append(q.seen, s)
		return
	}
	s.Size = id.Size
	if !q.DryRun {
		o.enqueue(e.Name, id, o.now(), q.Force)
		q.wait[e.Name] = len(q.seen)
		q.seen = append(q.seen, s)
		return
	}
	switch f := o.known[e.Name]; {
	case f != nil && f.open:
		s.Reason, s.UploadID = upload.InProgress, f.upload
	case f != nil && f.id == id && !q.Force:
		s.Reason, s.UploadID = upload.AlreadyKnown, f.upload
	default:
		s.Taken = true
	}
	q.seen = append(q.seen, s)
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
