package recovery

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// DirName is the log's directory in the state directory.
	DirName = "recovery"
	suffix  = ".jsonl"
	// monthly is how the files are named.
	monthly = "2006-01"
	// maxLine bounds a line; ours are below 4 KiB.
	maxLine = 1 << 20
	// mostSpare is the largest buffer that is kept for the next lines, and spares how
	// many: lines gather in one while another is written from.
	mostSpare = 16 << 10
	spares    = 2
)

// Log is the recovery log. It is safe for concurrent use. The zero Log keeps
// nothing.
type Log struct {
	dir *durable.Dir

	queue struct {
		mu    sync.Mutex
		next  *lines   // those that wait; nil: none
		spare [][]byte // what earlier ones were written in
	}

	mu    sync.Mutex // held by whoever writes; what follows is under it
	month string
	file  *durable.File
	fresh bool // nothing was written to file since it was opened
}

// Open opens the log in its directory. Nothing is read or written yet.
func Open(dir *durable.Dir) *Log { return &Log{dir: dir} }

// Close closes the file written to last.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drop()
}

func (l *Log) drop() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// Keep returns when u, as it is now, is durable in the log. Its error is a local
// fault: nothing may happen then that the line was to stand for.
func (l *Log) Keep(u upload.Upload, now time.Time) error {
	if l == nil || l.dir == nil {
		return nil
	}
	u.UpdatedAt = now.UTC()
	mine, err := l.enqueue(u)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !mine.done { // else another caller has written it with its own
		l.writeQueued()
	}
	return mine.err
}

// lines are on their way together; done and err belong to whoever writes.
type lines struct {
	text  bytes.Buffer
	month string
	done  bool
	err   error // final when done is set
}

// enqueue adds a line to those that wait.
func (l *Log) enqueue(u upload.Upload) (*lines, error) {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	if l.queue.next == nil {
		l.queue.next = &lines{}
		if last := len(l.queue.spare) - 1; last >= 0 {
			l.queue.next.text = *bytes.NewBuffer(l.queue.spare[last])
			l.queue.spare = l.queue.spare[:last]
		}
	}
	next := l.queue.next
	next.month = u.UpdatedAt.Format(monthly)
	return next, encode(&next.text, u)
}

// writeQueued writes all lines that wait and makes them durable at once: what
// costs is the disk's write-through, not the line.
func (l *Log) writeQueued() {
	l.queue.mu.Lock()
	together := l.queue.next
	l.queue.next = nil
	l.queue.mu.Unlock()
	err := l.write(together.text.Bytes(), together.month)
	if err != nil {
		_ = l.drop() // the next line begins on a line of its own, whatever is left of this one
		err = durable.Fault(err, "keep the recovery log")
	}
	together.done, together.err = true, err
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	if text := together.text.Bytes(); cap(text) <= mostSpare && len(l.queue.spare) < spares {
		l.queue.spare = append(l.queue.spare, text[:0])
	}
}

func (l *Log) write(line []byte, month string) error {
	if l.file == nil || l.month != month {
		if err := l.open(month); err != nil {
			return err
		}
	}
	if l.fresh { // the last line may have been torn
		line = append([]byte{'\n'}, line...)
	}
	if _, err := l.file.Write(line); err != nil {
		return err
	}
	l.fresh = false
	return l.file.Sync()
}

func (l *Log) open(month string) error {
	if err := l.drop(); err != nil {
		return err
	}
	file, err := l.dir.OpenAppend(month + suffix)
	if err != nil {
		return err
	}
	l.file, l.month, l.fresh = file, month, true
	return l.dir.SyncDir(".")
}

// Line is one line of the log: an upload as it was, or a fault of the line.
type Line struct {
	Upload upload.Upload
	Err    error
}

// Lines reads the whole log, the oldest first; the error ends it. A directory
// that is not there is an empty log.
func (l *Log) Lines(ctx context.Context) iter.Seq2[Line, error] { return l.linesFrom(ctx, mark{}) }

// mark is a place in the log: so many bytes before the end of a file, 0 its start.
// The zero mark is the start of the log.
type mark struct {
	file string
	back int64
}

// linesFrom reads from a mark to the end of the log.
func (l *Log) linesFrom(ctx context.Context, m mark) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		if l == nil || l.dir == nil {
			return
		}
		files, err := l.files()
		for _, name := range files {
			if err != nil || name < m.file {
				continue
			}
			back := int64(0)
			if name == m.file {
				back = m.back
			}
			err = l.read(ctx, name, back, func(x Line) bool { return yield(x, nil) })
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(Line{}, fmt.Errorf("read the recovery log: %w", err))
		}
	}
}

// first are the first so many readable lines after a mark, of its file alone.
func (l *Log) first(ctx context.Context, m mark, most int) ([]upload.Upload, error) {
	var all []upload.Upload
	err := l.read(ctx, m.file, m.back, func(x Line) bool {
		if x.Err == nil {
			all = append(all, x.Upload)
		}
		return len(all) < most
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}

func (l *Log) files() ([]string, error) {
	entries, err := l.dir.ListSorted(".")
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name, suffix) {
			names = append(names, e.Name)
		}
	}
	return names, err
}

var errEnough = errors.New("the reader has enough")

// read reads the last so many bytes of a file, or all of it where that is 0, from the
// first line that begins there.
func (l *Log) read(ctx context.Context, name string, tail int64, yield func(Line) bool) error {
	f, err := l.dir.OpenRead(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrNotRegular) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	cut := false
	if id, err := f.Identity(); err == nil && tail > 0 && id.Size > tail {
		if _, err := f.Seek(id.Size-tail, io.SeekStart); err != nil {
			return err
		}
		cut = true
	}
	r := bufio.NewReaderSize(f, 64<<10)
	for ctx.Err() == nil {
		text, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(text) > 0 && !cut && !yield(lineOf(text)) {
			return errEnough
		}
		cut = false
		if err != nil {
			return nil
		}
	}
	return ctx.Err()
}

// readLine reads to the end of the line; what is longer than any line of ours
// is cut, and so cannot be read.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line) < maxLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return trimEnd(line), err
		}
	}
}

func trimEnd(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}

func lineOf(text []byte) Line {
	u, err := decode(text)
	return Line{u, err}
}
