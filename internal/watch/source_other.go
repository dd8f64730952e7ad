//go:build !linux

package watch

// listen has nothing to add where there is no inotify.
func (s *source) listen(string) error { return errNoListening }
