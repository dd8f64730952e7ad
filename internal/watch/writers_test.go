package watch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// exporter writes one file in one of the ways that exporters have, and keeps
// account of what a reader may ever see as whole.
type exporter struct {
	t       *testing.T
	rnd     *rand.Rand
	path    string // of the file
	outside string // a directory on the same file system, not watched
	quiet   time.Duration
	twin    *exporter // writes beside it; nil: it works alone
	patient bool      // may pause for longer than the quiet period while it has the file open

	mu    sync.Mutex
	whole [][]byte
	last  []byte
	late  bool // it was so long between two writes that a part may pass for the whole
}

// promise says that content is whole, before a reader can see it.
func (e *exporter) promise(content []byte) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.whole, e.last = append(e.whole, content), content
	return content
}

func (e *exporter) isWhole(content []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.whole {
		if bytes.Equal(w, content) {
			return true
		}
	}
	return e.late
}

func (e *exporter) final() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

func (e *exporter) content() []byte {
	rows := 3 + e.rnd.IntN(5)
	var b bytes.Buffer
	b.WriteString("P1,P2\n")
	for range rows {
		fmt.Fprintf(&b, "%d,%d\n", e.rnd.IntN(9000)+1000, e.rnd.IntN(9000)+1000)
	}
	return b.Bytes()
}

func pauseFor(d time.Duration) { <-time.After(d) }

// short is a pause that a closed file may make between two writes.
func (e *exporter) short() { pauseFor(time.Duration(e.rnd.Int64N(int64(e.quiet / 20)))) }

// long is a pause with the file open.
func (e *exporter) long() {
	if e.patient && e.rnd.IntN(6) == 0 {
		pauseFor(e.quiet + time.Duration(e.rnd.Int64N(int64(e.quiet))))
		return
	}
	e.short()
}

// rest lets time pass between two whole contents: the first may be taken, or not.
func (e *exporter) rest() { pauseFor(time.Duration(e.rnd.Int64N(int64(3 * e.quiet)))) }

func (e *exporter) must(err error) {
	if err != nil {
		e.t.Error(err)
	}
}

// chunks writes content row by row into an open file.
func (e *exporter) chunks(f *os.File, content []byte) {
	for row := range bytes.Lines(content) {
		half := e.rnd.IntN(len(row))
		began := time.Now()
		_, err := f.Write(row[:half])
		e.must(err)
		e.long()
		_, err = f.Write(row[half:])
		e.must(err)
		e.long()
		e.watchOut(began, !e.patient)
	}
}

// watchOut notices that the machine was so slow that the file may have looked
// complete while it was not.
func (e *exporter) watchOut(since time.Time, exposed bool) {
	if exposed && time.Since(since) > e.quiet/2 {
		e.mu.Lock()
		e.late = true
		e.mu.Unlock()
	}
}

func (e *exporter) create(path string, flag int, content []byte) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if err != nil {
		e.t.Error(err)
		return
	}
	e.chunks(f, content)
	e.must(f.Close())
}

// The ways. Each returns when its last content is whole and closed.

func (e *exporter) slowAppend() { e.create(e.path, os.O_APPEND, e.promise(e.content())) }

func (e *exporter) reopenForEveryRow() {
	began := time.Now()
	for row := range bytes.Lines(e.promise(e.content())) {
		f, err := os.OpenFile(e.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		e.must(err)
		_, err = f.Write(row)
		e.must(err)
		e.must(f.Close())
		e.watchOut(began, true)
		began = time.Now()
		e.short()
	}
}

func (e *exporter) rewriteInPlace() {
	first := e.promise(e.content())
	e.create(e.path, 0, first)
	e.rest()
	second := bytes.Repeat([]byte("9"), len(first))
	e.create(e.path, 0, e.promise(second))
}

// rewriteKeepingTimes writes over a file with as many other bytes and sets the
// times back: size and mtime are as before.
func (e *exporter) rewriteKeepingTimes() {
	first := e.promise(e.content())
	e.create(e.path, 0, first)
	was, err := os.Stat(e.path)
	e.must(err)
	e.rest()
	began := time.Now()
	e.create(e.path, 0, e.promise(bytes.Repeat([]byte("8"), len(first))))
	e.must(os.Chtimes(e.path, was.ModTime(), was.ModTime()))
	e.watchOut(began, !e.patient)
}

// swapWithTwin gives two finished files each other's name.
func (e *exporter) swapWithTwin() {
	mine, its := e.promise(e.content()), e.twin.promise(e.twin.content())
	e.create(e.path, 0, mine)
	e.twin.create(e.twin.path, 0, its)
	e.rest()
	e.promise(its)
	e.twin.promise(mine)
	e.must(os.Rename(e.path, e.path+".tmp"))
	e.must(os.Rename(e.twin.path, e.path))
	e.must(os.Rename(e.path+".tmp", e.twin.path))
}

func (e *exporter) renameFromTemporary() {
	e.create(e.path+".tmp", 0, e.promise(e.content()))
	e.must(os.Rename(e.path+".tmp", e.path))
	e.rest()
	e.create(e.path+".part", 0, e.promise(e.content()))
	e.must(os.Rename(e.path+".part", e.path)) // over what is there
}

func (e *exporter) renameWhileOpen() {
	content := e.promise(e.content())
	f, err := os.Create(e.path + ".tmp")
	e.must(err)
	e.must(os.Rename(e.path+".tmp", e.path))
	e.chunks(f, content)
	e.must(f.Close())
}

func (e *exporter) renameFromOutside() {
	from := filepath.Join(e.outside, filepath.Base(e.path))
	e.create(from, 0, e.promise(e.content()))
	e.must(os.Rename(from, e.path))
}

func (e *exporter) copyWithOldTimes() {
	content := e.promise(e.content())
	f, err := os.Create(e.path)
	e.must(err)
	e.must(f.Truncate(int64(len(content)))) // full size at once, as SMB clients do
	old := time.Now().Add(-24 * time.Hour)
	for i := range content {
		_, err := f.WriteAt(content[i:i+1], int64(i))
		e.must(err)
		if i%16 == 0 {
			began := time.Now()
			e.must(os.Chtimes(e.path, old, old))
			e.long()
			e.watchOut(began, !e.patient)
		}
	}
	e.must(f.Close())
	e.must(os.Chtimes(e.path, old, old))
}

func (e *exporter) truncateAndRewrite() {
	e.create(e.path, 0, e.promise(e.content()))
	e.rest()
	e.create(e.path, os.O_TRUNC, e.promise(e.content()))
}

func (e *exporter) hardLink() {
	from := filepath.Join(e.outside, filepath.Base(e.path))
	e.create(from, 0, e.promise(e.content()))
	e.must(os.Link(from, e.path))
}

func (e *exporter) deleteAndMakeAnew() {
	e.create(e.path, 0, e.promise(e.content()))
	e.rest()
	e.must(os.Remove(e.path))
	e.short()
	e.create(e.path, 0, e.promise(e.content()))
}

// ways lists them; reopen says whether a file may be closed unfinished.
func (e *exporter) ways(reopen bool) []func() {
	ways := []func(){
		e.slowAppend, e.rewriteInPlace, e.renameFromTemporary, e.renameWhileOpen, e.renameFromOutside,
		e.copyWithOldTimes, e.truncateAndRewrite, e.hardLink, e.deleteAndMakeAnew, e.rewriteKeepingTimes,
	}
	if e.twin != nil {
		return []func(){e.swapWithTwin}
	}
	if reopen {
		ways = append(ways, e.reopenForEveryRow)
	}
	return ways
}
