//go:build !linux

package watch

import "errors"

// listen has nothing to add where there is no inotify.
func (s *source) listen(string) error {
	return errors.New("closes and renames are not told apart on this system")
}
