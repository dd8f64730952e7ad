package exporter

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"
)

// portions is in how many pieces a slow writer writes.
const portions = 8

// Put writes content into dir under name, in the given manner; pace is the
// pause between two portions. A file that was begun is finished also when ctx
// ends: only the pauses are skipped.
func Put(ctx context.Context, dir, name string, content []byte, how Manner, pace time.Duration) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // nothing was written through it alone
	pieces, writeTo := [][]byte{content}, name
	switch how {
	case Slowly, Reopened:
		pieces = split(content, portions)
	case Renamed:
		writeTo = name + ".tmp"
	case InOneGo:
	}
	if err := writePieces(ctx, root, writeTo, pieces, how == Reopened, pace); err != nil || writeTo == name {
		return err
	}
	return root.Rename(writeTo, name)
}

// writePieces creates the file and writes the pieces with pauses between them.
func writePieces(ctx context.Context, root *os.Root, name string, pieces [][]byte, reopen bool, pace time.Duration) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	for i, piece := range pieces {
		if i > 0 {
			if reopen {
				err = f.Close()
			}
			pause(ctx, pace)
			if reopen && err == nil {
				f, err = root.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
			}
		}
		if err != nil {
			return err
		}
		if _, err = f.Write(piece); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// split cuts content into about n pieces, at line ends where it can.
func split(content []byte, n int) [][]byte {
	var pieces [][]byte
	size := max(1, len(content)/n)
	for len(content) > size {
		cut := size
		if i := bytes.IndexByte(content[size:], '\n'); i >= 0 {
			cut += i + 1
		}
		pieces = append(pieces, content[:cut])
		content = content[cut:]
	}
	if len(content) > 0 {
		pieces = append(pieces, content)
	}
	return pieces
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
