package pack

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	outputBuffer      = 128 << 10
	leastOutputBuffer = 4 << 10
	// reserveEvery bounds how much is written between two looks at the disk.
	reserveEvery = 4 << 20
)

// errDone: a packing that has ended was used again; a fault of ours.
var errDone = errors.New("this packing has ended")

// Packing is a packed copy in the making. It is for one goroutine, and ends with
// Finish or Abort; after a failure it has aborted itself.
type Packing struct {
	stage   *Stage
	id      upload.ID
	file    *durable.File
	pieces  []byte // what is packed while there is no file
	held    bool   // whole, and in memory when it was finished
	sum     hash.Hash
	size    int64 // bytes written to the file
	charged int64 // bytes counted in the spool's usage
	checked int64 // size at the last look at the disk
	out     *bufio.Writer
	archive *zip.Writer
	entry   io.Writer
	release func()
	over    bool
	level   int
	source  upload.Upload
	began   time.Time
}

// Begin starts the packed copy of u, a settled upload. What an earlier try left
// in the spool is removed. It fails with a local fault when the spool or the
// disk is full.
func (s *Stage) Begin(_ context.Context, u upload.Upload) (*Packing, error) {
	if err := s.Remove(u); err != nil {
		return nil, err
	}
	if err := s.room(); err != nil {
		return nil, err
	}
	p := &Packing{stage: s, id: u.ID, sum: sha256.New(), source: u, began: time.Now()}
	if u.Source.Size > heldSource || !s.holds(min(u.Source.Size, heldMost)) {
		if err := p.intoFile(); err != nil {
			return nil, durable.Fault(err, "begin the packed copy")
		}
	}
	p.out = p.buffer()
	p.archive = zip.NewWriter(p.out)
	p.compressWith(s.level(u))
	var err error
	p.entry, err = p.archive.CreateHeader(headerOf(u))
	if err != nil {
		return nil, p.fail(err)
	}
	return p, nil
}

// smallBuffers are of leastOutputBuffer.
var smallBuffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, leastOutputBuffer) }}

// buffer is what gathers the output: little where that stays in memory in any case.
func (p *Packing) buffer() *bufio.Writer {
	if p.file == nil {
		b, _ := smallBuffers.Get().(*bufio.Writer)
		b.Reset(sink{p})
		return b
	}
	return bufio.NewWriterSize(sink{p}, int(min(max(p.source.Source.Size, leastOutputBuffer), outputBuffer)))
}

// end gives back what packing took. Nothing is written any more after it.
func (p *Packing) end() {
	if p.over {
		return
	}
	p.over = true
	p.release()
	if p.out.Size() == leastOutputBuffer {
		p.out.Reset(nil)
		smallBuffers.Put(p.out)
	}
}

// intoFile makes the file and brings into it what was packed without.
func (p *Packing) intoFile() (err error) {
	if p.file, err = p.stage.o.Spool.Create(partName(p.id)); err != nil {
		return err
	}
	if len(p.pieces) > 0 {
		_, err = p.file.Write(p.pieces)
	}
	p.pieces = nil
	return err
}

// headerOf is the header of the one entry.
func headerOf(u upload.Upload) *zip.FileHeader {
	return &zip.FileHeader{Name: u.Filename, Method: zip.Deflate, Modified: modified(u)}
}

// modified is the source's time, in whole seconds and UTC so that the bytes do
// not depend on where they are packed; zip knows nothing before 1980.
func modified(u upload.Upload) time.Time {
	t, first := time.Unix(0, u.Source.ModTime).UTC().Truncate(time.Second), time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	if t.Before(first) {
		return first
	}
	return t
}

func (p *Packing) compressWith(level int) {
	p.release = func() {}
	p.archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		c, at, put, err := p.stage.writers.get(level, w)
		p.release, p.level = put, at
		return c, err
	})
}

// Write implements io.Writer. Its error is a local fault.
func (p *Packing) Write(b []byte) (int, error) {
	if p.over {
		return 0, errDone
	}
	n, err := p.entry.Write(b)
	if err != nil {
		return n, p.fail(err)
	}
	return n, nil
}

// Finish tells the packed copy's size and digest, and makes one last that is
// not small. Whether it may be sent is decided by Run.
func (p *Packing) Finish() (size int64, digest string, err error) {
	if p.over {
		return 0, "", errDone
	}
	for _, step := range []func() error{p.archive.Close, p.out.Flush, p.leave} {
		if err := step(); err != nil {
			return 0, "", p.fail(err)
		}
	}
	p.end()
	if p.stage.o.Packed != nil {
		p.stage.o.Packed(p.source.Channel, p.level, p.source.Source.Size, p.size, time.Since(p.began))
	}
	return p.size, durable.DigestPrefix + hex.EncodeToString(p.sum.Sum(nil)), nil
}

// leave leaves the whole copy where it waits.
func (p *Packing) leave() error {
	if p.file == nil && p.stage.holds(p.size) {
		p.stage.hold(p.id, p.pieces)
		p.held = true
		return nil
	}
	if p.file == nil {
		if err := p.intoFile(); err != nil {
			return err
		}
	}
	if err := p.sync(); err != nil {
		return err
	}
	return p.file.Close()
}

// sync makes the copy last where to pack it again would take long, or nobody would
// see that it has to be: a small one is digested before every sending, and what a
// power cut has left of it is packed again.
func (p *Packing) sync() error {
	if p.size <= p.stage.o.Small {
		return nil
	}
	return p.file.Sync()
}

// Abort removes the packed copy, also after Finish. A second time does nothing.
func (p *Packing) Abort() {
	p.end()
	switch {
	case p.file != nil:
		p.file.Discard()
	case p.held:
		_ = p.stage.Remove(p.source) // as after any failure: nobody can be told
		p.charged = 0
	}
	p.stage.used.Add(-p.charged)
	p.charged = 0
}

func (p *Packing) fail(err error) error {
	p.Abort()
	return durable.Fault(err, "write the packed copy")
}

// sink is where the packed bytes go: counted, digested, within the limits.
type sink struct{ *Packing }

func (w sink) Write(b []byte) (int, error) {
	p, n := w.Packing, int64(len(b))
	if err := p.stage.charge(n); err != nil {
		return 0, err
	}
	p.charged += n
	if p.size-p.checked >= reserveEvery {
		p.checked = p.size
		if err := p.stage.reserve(); err != nil {
			return 0, err
		}
	}
	if p.file == nil && p.size+n > heldMost {
		if err := p.intoFile(); err != nil {
			return 0, err
		}
	}
	written, err := len(b), error(nil)
	if p.file == nil {
		p.pieces = append(p.pieces, b...)
	} else {
		written, err = p.file.Write(b)
	}
	p.size += int64(written)
	_, _ = p.sum.Write(b[:written])
	return written, err
}
