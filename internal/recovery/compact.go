package recovery

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Finder knows which uploads the journal still has.
type Finder interface {
	Find(ctx context.Context, id upload.ID) (upload.Upload, bool, error)
}

// Compacted counts what Compact did.
type Compacted struct {
	Files   int   // written anew or removed
	Before  int64 // their bytes before
	After   int64 // and after
	Damaged int   // lines that nobody can read any more, and that went
}

// Compact makes the files of months that ended before the time given smaller: of
// an upload that the server has, one short line stays for good, since its content
// must never be sent again; of one that the journal still has, all lines stay;
// the others, which the journal has forgotten, go. A file is replaced whole, so
// that a crash leaves the old one or the new one. Damaged lines go, counted: they
// tell nothing, and what they were of is in the journal or long forgotten. Nothing is kept meanwhile: it is
// for the rare quiet moment.
func (l *Log) Compact(ctx context.Context, known Finder, before time.Time) (Compacted, error) {
	var done Compacted
	if l == nil || l.dir == nil {
		return done, nil
	}
	files, err := l.files()
	for _, name := range files {
		if err == nil && strings.TrimSuffix(name, suffix) < before.UTC().Format(monthly) {
			err = l.compact(ctx, known, name, &done)
		}
	}
	if err != nil {
		return done, fmt.Errorf("compact the recovery log: %w", err)
	}
	return done, nil
}

func (l *Log) compact(ctx context.Context, known Finder, name string, done *Compacted) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.month+suffix == name {
		return nil // by a clock that has gone back it is the present one
	}
	was, err := l.dir.Look(name)
	if err != nil {
		return err
	}
	had, all, err := l.hadByServer(ctx, name)
	if err != nil {
		return err
	}
	out, err := l.dir.Create("." + name + ".new")
	if err != nil {
		return err
	}
	damaged := 0
	kept, size, err := l.copyNeeded(ctx, known, name, had, out, &damaged)
	switch {
	case err != nil || kept == all && size >= was.Size:
		out.Discard()
		return err
	case kept == 0:
		out.Discard()
		err = l.dir.Remove(name)
	default:
		err = l.dir.Commit(out, name)
	}
	if err == nil {
		done.Files, done.Before, done.After, done.Damaged = done.Files+1, done.Before+was.Size, done.After+size, done.Damaged+damaged
	}
	return err
}

// hadByServer tells which uploads of a file the server has, and how many lines
// there are.
func (l *Log) hadByServer(ctx context.Context, name string) (had map[upload.ID]bool, lines int, err error) {
	had = map[upload.ID]bool{}
	err = l.read(ctx, name, 0, func(x Line) bool {
		lines++
		if x.Err == nil && atServer(x.Upload.Verdict) {
			had[x.Upload.ID] = false
		}
		return true
	})
	return had, lines, err
}

func atServer(v upload.Verdict) bool {
	return v == upload.Accepted || v == upload.PartiallyAccepted || v == upload.Duplicate
}

// copyNeeded copies what must not be forgotten. had is set to true for the
// uploads whose one line has been written; damaged lines are counted.
func (l *Log) copyNeeded(ctx context.Context, known Finder, name string, had map[upload.ID]bool, out *durable.File, damaged *int) (lines int, size int64, err error) {
	var line bytes.Buffer
	w := bufio.NewWriterSize(out, 64<<10)
	readErr := l.read(ctx, name, 0, func(x Line) bool {
		if x.Err != nil { // torn or damaged: nobody can read it
			*damaged++
			return true
		}
		line.Reset()
		if err = needed(ctx, known, x.Upload, had, &line); err != nil || line.Len() == 0 {
			return err == nil
		}
		lines, size = lines+1, size+int64(line.Len())
		_, err = w.Write(line.Bytes())
		return err == nil
	})
	if readErr != nil && !errors.Is(readErr, errEnough) {
		err = errors.Join(err, readErr)
	}
	if err == nil {
		err = w.Flush()
	}
	return lines, size, err
}

// needed writes the line that stays of u, or nothing.
func needed(ctx context.Context, known Finder, u upload.Upload, had map[upload.ID]bool, to *bytes.Buffer) error {
	written, has := had[u.ID]
	switch {
	case has && (written || !atServer(u.Verdict)):
		return nil
	case has:
		had[u.ID] = true
		return encode(to, short(u))
	}
	if _, has, err := known.Find(ctx, u.ID); err != nil || !has {
		return err
	}
	return encode(to, u)
}

// short is u without what is no longer of use once the server has it.
func short(u upload.Upload) upload.Upload {
	u.Ticket, u.Receipt, u.Findings = upload.Ticket{}, nil, upload.Tally{}
	u.BatchID, u.Standard, u.Charset, u.Detail, u.PackedDigest, u.RootSpanID = "", "", "", "", "", ""
	u.PackedSize, u.Polls = 0, 0
	return u
}
