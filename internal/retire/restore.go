package retire

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The errors of Restore that are an answer to the caller, not a fault.
var (
	// ErrNotRestorable: the original is not in the archive or the quarantine.
	ErrNotRestorable = errors.New("the original is not in the archive or the quarantine")
	// ErrNameTaken: a file of that name is in the watched directory.
	ErrNameTaken = errors.New("a file of that name is in the watched directory")
)

// Restore copies a retired original back into its watched directory, under its
// own name, and never over another file. The archived copy stays. The name it
// was given is returned; the watcher takes the file as a new upload. An error is
// ErrNotRestorable, ErrNameTaken, or a fault.
func (s *Stage) Restore(ctx context.Context, u upload.Upload) (string, error) {
	w, on := s.o.Watch[u.Channel]
	want, ours := s.stored(u)
	if !on || !ours {
		return "", ErrNotRestorable
	}
	if _, err := w.Look(u.Filename); err == nil || errors.Is(err, durable.ErrNotRegular) {
		return "", ErrNameTaken
	}
	if want.Digest == "" {
		got, err := s.digestOf(ctx, u.Path)
		if err != nil {
			return "", restoring(ctx, err)
		}
		want = got
	}
	err := durable.CopyAcross(ctx, s.o.State, u.Path, w, restoreName(u.ID), u.Filename, want)
	if errors.Is(err, fs.ErrExist) {
		return "", ErrNameTaken
	}
	if err != nil {
		return "", restoring(ctx, err)
	}
	return u.Filename, nil
}

func restoring(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrNotRestorable, err)
	default:
		return durable.Fault(err, "restore the original")
	}
}

// stored reports whether u's original is at a place of our making, and what its
// content is; an empty digest says that nobody has seen it.
func (s *Stage) stored(u upload.Upload) (durable.Content, bool) {
	if u.State != upload.StateRetired || !u.ID.Valid() {
		return durable.Content{}, false
	}
	switch {
	case u.Place != upload.InArchive && u.Place != upload.InQuarantine:
		return durable.Content{}, false
	case u.Path == pathOf(u.Place, u):
		return durable.Content{Size: u.Source.Size, Digest: u.Digest}, true
	default:
		return durable.Content{}, u.Path == changedPathOf(u)
	}
}

func (s *Stage) digestOf(ctx context.Context, name string) (durable.Content, error) {
	f, err := s.o.State.OpenRead(name)
	if err != nil {
		return durable.Content{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	return durable.Digest(ctx, f)
}
