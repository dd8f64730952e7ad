package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Server is a sandbox. It is an [http.Handler] that may be mounted anywhere,
// and it works its queues off from New until Close.
type Server struct {
	opts     Options
	examiner Examiner
	ledger   *ledger
	spool    spool
	faults   faults
	queues   map[upload.Channel]*queue
	admin    http.Handler

	temporary string // removed by Close; empty if Options.Dir was given
	lock      *os.File
	closing   chan struct{} // closed: faults that hang end
	letGo     sync.Once
	stop      context.CancelFunc
	working   sync.WaitGroup
	closed    func() error
}

// New opens the state, takes up what was left in the queues, and begins to work.
// It fails when an option cannot be meant, or the state cannot be read or is in
// use by another sandbox. The caller must Close it.
func New(opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s := &Server{opts: opts, examiner: opts.Examiner, closing: make(chan struct{})}
	if s.examiner == nil {
		if s.examiner, err = NewStandards(opts.Now); err != nil {
			return nil, fmt.Errorf("sandbox: %w", err)
		}
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), s.release())
	}
	for _, f := range opts.Faults {
		s.faults.add(f)
	}
	s.admin = s.adminRoutes()
	s.begin()
	return s, nil
}

// open prepares the directory and reads the state in it.
func (s *Server) open() (err error) {
	dir, durable := s.opts.Dir, true
	if dir == "" {
		durable = false // what goes with the process is read by nobody after it
		if dir, err = os.MkdirTemp("", "hqms-sandbox-"); err != nil {
			return err
		}
		s.temporary = dir
	}
	packages := filepath.Join(dir, spoolName)
	if err := os.MkdirAll(packages, 0o700); err != nil {
		return fmt.Errorf("prepare %s: %w", dir, err)
	}
	if s.spool.root, err = os.OpenRoot(packages); err != nil {
		return err
	}
	switch {
	case durable:
		s.spool.sync = (*os.File).Sync
	case !s.opts.KeepFiles:
		s.spool.small = newShelf()
	}
	if s.lock, err = lockDir(dir); err != nil {
		return err
	}
	s.ledger, err = openLedger(s.opts)
	return err
}

// begin queues what has no verdict yet, in its old order, and starts working.
func (s *Server) begin() {
	s.queues = map[upload.Channel]*queue{upload.Flu: newQueue(), upload.HQMS: newQueue()}
	waiting, known := s.ledger.undecided()
	if err := s.spool.sweep(func(token string) bool {
		waits, ours := known[token]
		return waits || (ours && s.opts.KeepFiles)
	}); err != nil {
		s.opts.Logger.Warn("cannot sweep packages", "error", err)
	}
	for _, d := range waiting {
		s.queues[d.Channel].push(d)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	for _, q := range s.queues {
		s.working.Go(func() { s.work(ctx, q) })
	}
	s.closed = sync.OnceValue(s.shut)
}

// LetGo ends faults that hang, so that an HTTP server can shut down; from now
// on they close the connection at once.
func (s *Server) LetGo() { s.letGo.Do(func() { close(s.closing) }) }

// Close ends faults that hang, stops working after the step in hand, and closes
// the state. What is undecided is taken up by the next New on the same
// directory. Requests still being served fail. It may be called twice.
func (s *Server) Close() error { return s.closed() }

func (s *Server) shut() error {
	s.LetGo()
	s.stop()
	s.working.Wait()
	return s.release()
}

func (s *Server) release() (err error) {
	if s.ledger != nil {
		err = s.ledger.close()
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	if s.spool.root != nil {
		err = errors.Join(err, s.spool.root.Close())
	}
	if s.temporary != "" {
		err = errors.Join(err, os.RemoveAll(s.temporary))
	}
	return err
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if step, base, ok := route(r.URL.Path); ok {
		r.Body = &stallGuard{ReadCloser: r.Body, conn: http.NewResponseController(w), stall: s.opts.Stall}
		c := newCall(r, step, base)
		defer c.done()
		s.serveProtocol(w, c)
		return
	}
	s.admin.ServeHTTP(w, r)
}

// Report is what has arrived so far.
func (s *Server) Report() Report {
	rep, _ := s.ledger.report()
	return rep
}

// Arrivals is Report's deliveries, in the order of arrival.
func (s *Server) Arrivals() []Arrival { return s.Report().Items }

// Received is how many readable deliveries of a content ("sha-256:<hex>" of the
// CSV) have been decided, over all accounts and channels.
func (s *Server) Received(digest string) int {
	return s.sum(digest, func(c Content) int { return c.Received })
}

// Accepted is how often a content was accepted, in whole or in part, over all
// accounts and channels.
func (s *Server) Accepted(digest string) int {
	return s.sum(digest, func(c Content) int { return c.Accepted })
}

func (s *Server) sum(digest string, of func(Content) int) (n int) {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	for key, c := range s.ledger.contents {
		if key.digest == digest {
			n += of(*c)
		}
	}
	return n
}

// Await waits until ok holds of what has arrived, looking again at every
// change (a fault that strikes is one, too); it returns the context's error when that ends first.
func (s *Server) Await(ctx context.Context, ok func(Report) bool) error {
	for {
		rep, changed := s.ledger.report()
		if ok(rep) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// AddFault sets a fault; the one returned carries its ID.
func (s *Server) AddFault(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return Fault{}, err
	}
	return s.faults.add(f), nil
}

// Faults lists the faults that are set, with how often each has struck.
func (s *Server) Faults() []Fault { return s.faults.snapshot() }

// ClearFaults removes all faults.
func (s *Server) ClearFaults() { s.faults.remove(0) }

// Pause stops both queues after the delivery in hand: what arrives stays in
// status 0 until Resume.
func (s *Server) Pause() { s.pause(true) }

// Resume lets the queues go on.
func (s *Server) Resume() { s.pause(false) }

func (s *Server) pause(on bool) {
	for _, q := range s.queues {
		q.pause(on)
	}
}

// Reset forgets every token, delivery, content and count; faults stay.
func (s *Server) Reset() error {
	waiting, _ := s.ledger.undecided()
	err := s.ledger.reset(func() {
		for _, q := range s.queues {
			q.clear()
		}
	})
	if err != nil {
		return err
	}
	for _, d := range waiting {
		s.spool.remove(d.token)
	}
	return nil
}
