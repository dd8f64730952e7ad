package retire

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// setAside takes the original out of the exporter's reach, in its directory. It
// need not last: after a power cut the file has the one name or the other, and
// both are looked at. What puts it away syncs the directory.
func (r *retirement) setAside() error {
	aside := asideName(r.u.ID)
	err := r.watch.RenameNoReplaceSoon(r.u.Filename, aside)
	if errors.Is(err, durable.ErrNoReplace) {
		// The name aside is ours alone and was free a moment ago.
		err = r.watch.Rename(r.u.Filename, aside)
	}
	return err
}

// fromAside decides about the original that stands aside.
func (r *retirement) fromAside(ctx context.Context) (ending, error) {
	if !r.first {
		if err := r.finishSettingAside(); err != nil {
			return ending{}, err
		}
	}
	same, err := r.unchanged(ctx)
	if err != nil {
		return ending{}, err
	}
	if !same {
		return r.changed(ctx)
	}
	end, err := r.dispose(ctx)
	if errors.Is(err, durable.ErrMismatch) { // it changed while it was copied
		return r.changed(ctx)
	}
	if err == nil && end.place != upload.InWatch {
		err = r.removeMarkers()
	}
	return end, err
}

// finishSettingAside ends a rename that was made of link and unlink and broken
// off between them: one file under both names.
func (r *retirement) finishSettingAside() error {
	aside, err := r.watch.Look(asideName(r.u.ID))
	if err != nil {
		return err
	}
	name, err := r.watch.Look(r.u.Filename)
	if err != nil || name.Inode != aside.Inode {
		return nil //nolint:nilerr // nothing, or something else, stands under the name
	}
	return r.watch.RenameNoReplace(r.u.Filename, asideName(r.u.ID))
}

// unchanged reports whether the file aside is byte for byte what the upload was
// about, and at rest. Inode and change time are left out: renaming changes the
// one everywhere and the other on some network file systems; both were compared
// before.
func (r *retirement) unchanged(ctx context.Context) (bool, error) {
	f, err := r.watch.OpenRead(asideName(r.u.ID))
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // read only
	before, err := f.Identity()
	if err != nil {
		return false, err
	}
	if before.Size != r.u.Source.Size || before.ModTime != r.u.Source.ModTime {
		return false, nil
	}
	got, err := durable.Digest(ctx, f)
	if err != nil {
		return false, err
	}
	after, err := f.Identity()
	return err == nil && after == before && got.Digest == r.u.Digest, err
}

// dispose puts the unchanged original where the plan says, or where a crashed run
// has copied it whole under another plan.
func (r *retirement) dispose(ctx context.Context) (ending, error) {
	for _, place := range []upload.Place{upload.InArchive, upload.InQuarantine} {
		if r.first {
			break
		}
		to := pathOf(place, r.u)
		if _, err := r.o.State.Look(to); err == nil {
			return ending{place, to, ""}, r.copied(ctx, to, r.content())
		}
	}
	switch r.plan {
	case upload.InWatch: // the policy became keep after it had been set aside
		if back, err := r.putBack(); back || err != nil {
			return ending{upload.InWatch, r.u.Filename, ""}, err
		}
		return r.store(ctx, home(r.u))
	case upload.Deleted:
		return ending{upload.Deleted, "", ""}, r.remove()
	default:
		return r.store(ctx, r.plan)
	}
}

// changed deals with content that is not what was sent: it goes back under its
// name, to be taken as new content; if the name is taken, into the quarantine.
func (r *retirement) changed(ctx context.Context) (ending, error) {
	back, err := r.putBack()
	if err != nil {
		return ending{}, err
	}
	if !back {
		if err := r.storeChanged(ctx); err != nil {
			return ending{}, err
		}
	}
	// A crashed run may have copied what was sent before it was changed.
	if end, done, err := r.already(); done || err != nil {
		end.reason = upload.OriginalChanged
		return end, err
	}
	return ending{upload.InWatch, r.u.Filename, upload.OriginalChanged}, nil
}

// putBack gives the file aside its name again and reports whether it could: not
// if the name has been taken, or the file system cannot do it without risk.
func (r *retirement) putBack() (bool, error) {
	if err := r.o.State.Remove(tombstone(r.u.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	err := r.watch.RenameNoReplace(asideName(r.u.ID), r.u.Filename)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, durable.ErrNoReplace) {
		return false, nil
	}
	return err == nil, err
}

// remove deletes the original, leaving a trace first: a run that crashes before
// the deletion is recorded must not take it for somebody else's.
func (r *retirement) remove() error {
	if err := r.o.State.MkdirAll(deletedDir); err != nil {
		return err
	}
	trace := tombstone(r.u.ID)
	if err := r.o.State.WriteFile(tombstonePart(r.u.ID), trace, nil); err != nil {
		return err
	}
	if err := r.watch.Remove(asideName(r.u.ID)); err != nil {
		return err
	}
	return r.watch.SyncDir(".")
}

// store moves the unchanged original to its place.
func (r *retirement) store(ctx context.Context, place upload.Place) (ending, error) {
	end := ending{place, pathOf(place, r.u), ""}
	if place == upload.InQuarantine { // its result stands beside it, before it
		if err := r.o.State.MkdirAll(dirOf(place, r.u)); err != nil {
			return end, err
		}
		if err := r.writeResult(ctx, ""); err != nil {
			return end, err
		}
	}
	return end, r.move(ctx, end.path, r.content())
}

// content is what the upload was about.
func (r *retirement) content() durable.Content {
	return durable.Content{Size: r.u.Source.Size, Digest: r.u.Digest}
}

// storeChanged moves content nobody has seen into the quarantine.
func (r *retirement) storeChanged(ctx context.Context) error {
	to := changedPathOf(r.u)
	if err := r.o.State.MkdirAll(path.Dir(to)); err != nil {
		return err
	}
	if err := r.writeResult(ctx, upload.OriginalChanged); err != nil {
		return err
	}
	f, err := r.watch.OpenRead(asideName(r.u.ID))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	want, err := durable.Digest(ctx, f)
	if err != nil {
		return err
	}
	return r.move(ctx, to, want)
}

// move brings the file aside to the free name to, by renaming where it can. The
// directory is made if it is not there.
func (r *retirement) move(ctx context.Context, to string, want durable.Content) error {
	aside := asideName(r.u.ID)
	err := durable.MoveInto(r.watch, aside, r.o.State, to)
	if errors.Is(err, durable.ErrCrossDevice) || errors.Is(err, durable.ErrNoReplace) {
		if err := r.o.State.MkdirAll(path.Dir(to)); err != nil {
			return err
		}
		err = durable.MoveAcross(ctx, r.watch, aside, r.o.State, path.Join(path.Dir(to), partName), to, want)
	}
	if errors.Is(err, fs.ErrExist) {
		return r.copied(ctx, to, want) // by a run that crashed before it removed the source
	}
	return err
}

// copied removes the file aside if to is a whole copy of it.
func (r *retirement) copied(ctx context.Context, to string, want durable.Content) error {
	f, err := r.o.State.OpenRead(to)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	got, err := durable.Digest(ctx, f)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("a file with other content stands in its place: %w", fs.ErrExist)
	}
	if err := r.settleDown(to); err != nil {
		return err
	}
	if err := r.watch.Remove(asideName(r.u.ID)); err != nil {
		return err
	}
	return r.watch.SyncDir(".")
}

// settleDown makes last what a crashed run may have renamed just before, and the
// directories that it may have made for that.
func (r *retirement) settleDown(name string) error {
	for name != "." {
		name = path.Dir(name)
		if err := r.o.State.SyncDir(name); err != nil {
			return err
		}
	}
	return r.watch.SyncDir(".")
}

// removeMarkers removes the markers of an original that is put away. If a new
// file stands under its name, the markers may be that one's, and stay.
func (r *retirement) removeMarkers() error {
	if !r.o.Policies[r.u.Channel].Markers {
		return nil
	}
	if _, err := r.watch.Look(r.u.Filename); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	stem := strings.TrimSuffix(r.u.Filename, path.Ext(r.u.Filename))
	removed := false
	for _, name := range []string{r.u.Filename + ".ok", r.u.Filename + ".done", stem + ".ok"} {
		if _, err := r.watch.Look(name); err != nil {
			continue // none, or no file of ours
		}
		if err := r.watch.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return r.watch.SyncDir(".")
}
