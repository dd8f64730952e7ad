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
	w, want, err := s.restorable(ctx, u)
	if err != nil {
		return "", err
	}
	err = durable.CopyAcross(ctx, s.o.State, u.Path, w, restoreName(u.ID), u.Filename, want)
	return u.Filename, restoring(ctx, err)
}

// RestoreFile is Restore for a file that is not to be taken: known is told what
// the copy looks like before it gets its name, all but its change time. When
// known fails, the copy is not put back.
func (s *Stage) RestoreFile(ctx context.Context, u upload.Upload, known func(upload.Identity) error) (string, error) {
	w, want, err := s.restorable(ctx, u)
	if err != nil {
		return "", err
	}
	whole := restoredName(u.ID)
	if err := w.Remove(whole); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an earlier try
		return "", restoring(ctx, err)
	}
	err = durable.CopyAcross(ctx, s.o.State, u.Path, w, restoreName(u.ID), whole, want)
	var copied upload.Identity
	if err == nil {
		copied, err = w.Look(whole)
	}
	if err != nil {
		return "", restoring(ctx, err)
	}
	if err := known(copied); err != nil {
		_ = w.Remove(whole) // the sweep does it otherwise
		return "", err
	}
	if err := w.RenameNoReplace(whole, u.Filename); err != nil {
		_ = w.Remove(whole)
		return "", restoring(ctx, err)
	}
	return u.Filename, nil
}

// restorable gives the watched directory for u's original and what it must be.
func (s *Stage) restorable(ctx context.Context, u upload.Upload) (*durable.Dir, durable.Content, error) {
	w, on := s.o.Watch[u.Channel]
	want, ours := s.stored(u)
	if !on || !ours {
		return nil, want, ErrNotRestorable
	}
	if _, err := w.Look(u.Filename); err == nil || errors.Is(err, durable.ErrNotRegular) {
		return nil, want, ErrNameTaken
	}
	if want.Digest == "" {
		var err error
		if want, err = s.digestOf(ctx, u.Path); err != nil {
			return nil, want, restoring(ctx, err)
		}
	}
	return w, want, nil
}

func restoring(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return ErrNameTaken
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
