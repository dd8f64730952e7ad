package retire

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// tidy removes what crashed runs of this upload began and this run did not go on
// with, since the policy or the file changed in between: a copy in the making is
// a copy of patients' data.
func (r *retirement) tidy(end ending) error {
	traces := []string{tombstonePart(r.u.ID)}
	if end.place != upload.Deleted {
		traces = append(traces, tombstone(r.u.ID))
	}
	if err := r.removeFiles(traces); err != nil {
		return err
	}
	for _, place := range []upload.Place{upload.InArchive, upload.InQuarantine} {
		dir := dirOf(place, r.u)
		if _, err := r.o.State.Look(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := r.removeFiles([]string{path.Join(dir, partName), path.Join(dir, changedDir, partName)}); err != nil {
			return err
		}
		if strings.HasPrefix(end.path, dir+"/") {
			continue
		}
		if place == upload.InQuarantine {
			if err := r.removeResults(r.u); err != nil {
				return err
			}
		}
		for _, empty := range []string{path.Join(dir, changedDir), dir} {
			if err := r.removeEmpty(empty); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Stage) removeResults(u upload.Upload) error {
	dir := dirOf(upload.InQuarantine, u)
	return s.removeFiles([]string{
		path.Join(dir, resultName(u.Filename, jsonSuffix)), path.Join(dir, resultName(u.Filename, textSuffix)),
	})
}

func (s *Stage) removeFiles(names []string) error {
	for _, name := range names {
		if err := ignoreGone(s.o.State.Remove(name)); err != nil {
			return err
		}
	}
	return nil
}

// removeEmpty removes a directory and the one above it as far as they are empty,
// and makes it last.
func (s *Stage) removeEmpty(dir string) error {
	for range 2 {
		err := s.o.State.RemoveDir(dir)
		dir = path.Dir(dir)
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) {
			break
		}
		if err := ignoreGone(err); err != nil {
			return err
		}
	}
	return ignoreGone(s.o.State.SyncDir(dir))
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
