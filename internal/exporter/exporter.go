package exporter

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard/synthetic"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Options says what to write where.
type Options struct {
	// FluDir and HQMSDir are the watched directories; a channel whose directory
	// is empty is left out. They must exist.
	FluDir, HQMSDir string
	// Rows is how many data rows each file has (default 20, at least 2).
	Rows int
	// Pace is the pause between two portions of the slow writers (default 300 ms).
	Pace time.Duration
	// Library holds the standards; nil: the embedded ones.
	Library *standard.Library
	// Now is the clock (default time.Now): file names bear its date.
	Now func() time.Time
	// Logger gets each file as it is finished; nil: nothing.
	Logger *slog.Logger
}

// Written is one file of a run.
type Written struct {
	Channel  upload.Channel
	Kind     upload.Kind
	Filename string
	Rows     int
	Bytes    int64
	Digest   string // "sha-256:<hex>"
	Charset  string
	Manner   Manner
	Expect   upload.Verdict // what the sandbox's default rules make of it
}

func (o Options) withDefaults() (Options, error) {
	if o.FluDir == "" && o.HQMSDir == "" {
		return o, errors.New("export: no directory given")
	}
	if o.Rows == 0 {
		o.Rows = 20
	}
	o.Rows = max(o.Rows, 2) // of one row nothing can be stored in part
	if o.Pace == 0 {
		o.Pace = 300 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if o.Library, err = library(o.Library); err != nil {
		return o, fmt.Errorf("export: %w", err)
	}
	return o, nil
}

func (o Options) dir(ch upload.Channel) string {
	if ch == upload.HQMS {
		return o.HQMSDir
	}
	return o.FluDir
}

// Run writes one file of each feed, all at the same time, and returns when the
// last is complete. What it returns is complete even beside an error. When ctx
// ends, the slow writers stop pausing.
func Run(ctx context.Context, o Options) ([]Written, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	run := run{Options: o, now: o.Now(), seed: binary.LittleEndian.Uint64(seed[:])}
	feeds := plan()
	done := make([]Written, len(feeds))
	faults := make([]error, len(feeds))
	var writing sync.WaitGroup
	for i, f := range feeds {
		if o.dir(f.channel) == "" {
			continue
		}
		writing.Go(func() { done[i], faults[i] = run.write(ctx, f) })
	}
	writing.Wait()
	var written []Written
	for i := range done {
		if faults[i] == nil && done[i].Filename != "" {
			written = append(written, done[i])
		}
	}
	return written, errors.Join(faults...)
}

// run is what the files of one run have in common.
type run struct {
	Options
	now  time.Time
	seed uint64
}

// write makes one file and puts it into its directory.
func (r run) write(ctx context.Context, f feed) (Written, error) {
	w := Written{
		Channel: f.channel, Kind: f.kind, Rows: r.Rows, Charset: f.charset, Manner: f.manner, Expect: f.expect,
		Filename: fmt.Sprintf("%s_%s_%06x%s.csv", f.kind, r.now.Format("20060102"), r.seed&0xffffff, f.ending),
	}
	content, err := r.content(f)
	if err == nil {
		err = Put(ctx, r.dir(f.channel), w.Filename, content, f.manner, r.Pace)
	}
	if err != nil {
		return Written{}, fmt.Errorf("export %s: %w", w.Filename, err)
	}
	sum := sha256.Sum256(content)
	w.Bytes, w.Digest = int64(len(content)), "sha-256:"+hex.EncodeToString(sum[:])
	r.Logger.Info("exported", "channel", w.Channel, "file", w.Filename, "rows", w.Rows, "charset", w.Charset, "manner", w.Manner)
	return w, nil
}

// content makes a file's bytes. The files of one run share their seed, so that
// they are of the same invented patients; those with an ending are of others.
func (r run) content(f feed) ([]byte, error) {
	var b bytes.Buffer
	if f.bom {
		b.WriteString("\ufeff")
	}
	seed := r.seed
	if f.ending != "" {
		seed++
	}
	err := synthetic.File(&b, synthetic.Options{
		Library: r.Library, Channel: f.channel, Kind: f.kind, Layout: f.layout,
		Rows: r.Rows, Seed: seed, Charset: f.charset, Now: r.now,
	})
	return b.Bytes(), err
}
