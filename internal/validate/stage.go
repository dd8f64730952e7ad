package validate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Source is a watched directory, for reading.
type Source interface {
	OpenRead(name string) (File, error)
	Look(name string) (upload.Identity, error)
}

// File is an open source file.
type File interface {
	io.ReadCloser
	Identity() (upload.Identity, error)
}

// DirSource makes a directory a Source.
type DirSource struct{ *durable.Dir }

// OpenRead implements Source.
func (d DirSource) OpenRead(name string) (File, error) {
	f, err := d.Dir.OpenRead(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Packer takes the bytes of a source that is being read.
type Packer interface {
	Begin(ctx context.Context, u upload.Upload) (Packing, error)
}

// Packing is one packed copy being written. Exactly one of Finish and Abort is
// called.
type Packing interface {
	io.Writer
	Finish() (size int64, digest string, err error)
	Abort()
}

// StageOptions are what the stage works with.
type StageOptions struct {
	Library *standard.Library
	Sources map[upload.Channel]Source
	Packer  Packer
	// BlockOn holds a file back from that severity on; empty: never.
	BlockOn map[upload.Channel]upload.Severity
	// Check are the options of the checks; its Now is set for each file.
	Check map[upload.Channel]Options
	// Batches compares the files of a batch with each other; nil: nobody does.
	Batches *Batches
	Now     func() time.Time
}

// Stage moves uploads from settled to validated, or to decided where findings
// hold them back. It is safe for concurrent use.
type Stage struct{ o StageOptions }

// New makes the stage.
func New(o StageOptions) *Stage {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Check = maps.Clone(o.Check)
	for ch := range o.Sources {
		check := o.Check[ch]
		check.Plans = &Plans{}
		if o.Check == nil {
			o.Check = map[upload.Channel]Options{}
		}
		o.Check[ch] = check
	}
	return &Stage{o: o}
}

// Run reads the source once: digest, checks, packed copy. The source is the
// content that settled, before and after, or nothing of it counts.
func (s *Stage) Run(ctx context.Context, u upload.Upload) (upload.Outcome, error) {
	src, ok := s.o.Sources[u.Channel]
	if !ok {
		return upload.Outcome{}, upload.LocalFaultOf(upload.WatchDirMissing, "the channel has no watched directory", nil)
	}
	f, err := src.OpenRead(u.Filename)
	if err != nil {
		return gone(err, "open the source")
	}
	defer f.Close() //nolint:errcheck // read only
	if id, err := f.Identity(); err != nil || id != u.Source {
		return differs(err)
	}
	packing, err := s.o.Packer.Begin(ctx, u)
	if err != nil {
		return upload.Outcome{}, durable.Fault(err, "begin the packed copy")
	}
	p := &pass{file: f, sum: sha256.New(), packing: packing, keys: newKeys(u)}
	p.check = s.checker(u, p.keys)
	keep := false
	defer func() { // also when a check panics
		if !keep {
			packing.Abort()
		}
	}()
	out, keep, err := s.examine(ctx, u, src, p)
	if err == nil && out.Findings() != nil && s.o.Batches != nil { // the file was read whole and judged
		s.o.Batches.add(p.keys)
	}
	return out, err
}

func (s *Stage) checker(u upload.Upload, keys *keysOf) *Checker {
	o := s.o.Check[u.Channel]
	if s.o.Batches != nil {
		o.Links = keys
	}
	o.Now = s.o.Now()
	return NewChecker(s.o.Library, u.Channel, u.Kind, o)
}

// examine makes the pass and judges it; keep says that the packed copy was
// finished.
func (s *Stage) examine(ctx context.Context, u upload.Upload, src Source, p *pass) (out upload.Outcome, keep bool, err error) {
	if err := p.run(ctx, u.Source.Size); err != nil {
		if errors.Is(err, errGrew) {
			return upload.Superseded(), false, nil
		}
		return upload.Outcome{}, false, err
	}
	if id, err := src.Look(u.Filename); err != nil {
		out, err := gone(err, "look at the source again")
		return out, false, err
	} else if id != u.Source {
		return upload.Superseded(), false, nil
	}
	if id, err := p.file.Identity(); err != nil || id != u.Source {
		out, err := differs(err)
		return out, false, err
	}
	r := p.check.Close()
	x := upload.Examination{
		Digest: "sha-256:" + hex.EncodeToString(p.sum.Sum(nil)), Size: p.size, Rows: r.Rows,
		Charset: r.Charset, Standard: r.Standard, Tally: r.Tally, Findings: r.Findings,
	}
	if Blocks(r.Tally, s.o.BlockOn[u.Channel]) && !u.Forced {
		return upload.HeldBack(x), false, nil
	}
	if x.PackedSize, x.PackedDigest, err = p.packing.Finish(); err != nil {
		return upload.Outcome{}, true, durable.Fault(err, "finish the packed copy")
	}
	return upload.Validated(x), true, nil
}

// Blocks reports whether findings hold a file back; an empty severity never does.
func Blocks(t upload.Tally, from upload.Severity) bool {
	return from != "" && t.Worst().Rank() >= from.Rank()
}

// gone tells what an error in reaching the source means.
func gone(err error, what string) (upload.Outcome, error) {
	switch {
	case errors.Is(err, durable.ErrNoDir):
		return upload.Outcome{}, durable.Fault(err, what)
	case errors.Is(err, fs.ErrNotExist):
		return upload.Vanished(), nil
	case errors.Is(err, durable.ErrNotRegular):
		return upload.Unfit(upload.NotRegular), nil
	default:
		return upload.Outcome{}, durable.Fault(err, what)
	}
}

// differs is the outcome of an open file that is not what settled.
func differs(err error) (upload.Outcome, error) {
	if err != nil {
		return upload.Outcome{}, durable.Fault(err, "look at the open source")
	}
	return upload.Superseded(), nil
}

// readFault is a local fault whatever the error: the source could not be read,
// and that says nothing about its content.
func readFault(err error) error {
	fault := durable.Fault(fmt.Errorf("read the source: %w", err), "read the source")
	if fault.Reason == upload.LocalFault {
		fault.Reason = upload.SourceUnreadable
	}
	return fault
}
