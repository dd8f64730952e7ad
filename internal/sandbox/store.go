package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The directory of a sandbox: its journal, a lock, and the packages received.
const (
	journalName = "sandbox.jsonl"
	lockName    = "sandbox.lock"
	spoolName   = "packages"
)

// record is one line of the journal: something that happened. Exactly one of
// its particulars is set, by Op.
type record struct {
	Op      string       `json:"op"`
	Token   *tokenRecord `json:"token,omitempty"`
	Arrival *Arrival     `json:"arrival,omitempty"`
	Full    string       `json:"full_token,omitempty"`
	Counts  *Counts      `json:"counts,omitempty"`
}

// The operations of the journal.
const (
	opToken   = "token"   // a token was issued
	opArrival = "arrival" // a package is on disk and queued
	opVerdict = "verdict" // a delivery's end
	opCounts  = "counts"  // the counters as they stand
	opReset   = "reset"   // everything forgotten
)

type tokenRecord struct {
	Token    string    `json:"token"`
	Account  string    `json:"account"`
	Base     string    `json:"base"`
	IssuedAt time.Time `json:"issued_at"`
}

// file is what the store needs of the journal's file; tests put a recorder in.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Seek(offset int64, whence int) (int64, error)
	Close() error
}

// store is the journal on disk: one JSON document per line. A nil store keeps
// nothing.
type store struct {
	file file
	size int64
}

// readJournal applies what the journal of dir holds; no journal holds nothing.
func readJournal(dir string, apply func(record) error) error {
	f, err := os.Open(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	if err := replay(f, apply); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	return nil
}

// newStore writes the journal of dir afresh, so that it does not grow for ever
// and no torn line stays in it, and leaves it open for appending.
func newStore(dir string, records []record) (*store, error) {
	name := filepath.Join(dir, journalName)
	f, err := os.OpenFile(name+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	s := &store{file: f}
	for _, rec := range records {
		if err = s.write(rec); err != nil {
			break
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err == nil {
		err = syncDir(dir, (*os.File).Sync)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create journal: %w", err), f.Close())
	}
	return s, nil
}

// replay applies every whole line. A last line that is broken was being written
// when the lights went out, and is left out; a broken one before it is damage.
func replay(r io.Reader, apply func(record) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var rec record
		if err := json.Unmarshal(bytes.TrimSpace(line), &rec); err != nil {
			if _, more := in.Peek(1); errors.Is(more, io.EOF) {
				return nil
			}
			return fmt.Errorf("line %d is damaged", n)
		}
		if err := apply(rec); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}

// append makes one record durable. When it fails the file is cut back, so that
// a failed record is never found later.
func (s *store) append(rec record) error {
	if s == nil {
		return nil
	}
	before := s.size
	err := s.write(rec)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		s.size = before
		return errors.Join(fmt.Errorf("write journal: %w", err), s.cutBack())
	}
	return nil
}

func (s *store) write(rec record) error {
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	n, err := s.file.Write(append(line, '\n'))
	s.size += int64(n)
	return err
}

func (s *store) cutBack() error {
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	_, err := s.file.Seek(s.size, io.SeekStart)
	return err
}

func (s *store) close() error {
	if s == nil {
		return nil
	}
	return s.file.Close()
}

// syncDir makes created and renamed names of a directory durable.
func syncDir(dir string, sync func(*os.File) error) error {
	if sync == nil {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = sync(d)
	if errors.Is(err, fs.ErrInvalid) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // not every file system can
	}
	return errors.Join(err, d.Close())
}
