package telemetry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	filePrefix = "hqms-sidecar-"
	fileSuffix = ".log"
	// reopenPause is how long a failing log directory is left alone.
	reopenPause = 10 * time.Second
)

// dailyFile writes to one file per day, by local time, and keeps the newest of
// them. A line that cannot be written is lost, never an error: the log on
// standard output is the one that counts.
type dailyFile struct {
	dir      string
	now      func() time.Time
	keep     int
	complain func(error) // called when writing begins to fail, and with nil when it works again

	mu      sync.Mutex
	file    *os.File
	day     string
	torn    bool // the last line was written in part
	failing bool
	retryAt time.Time
}

// Write implements io.Writer; p is one line. It never fails.
func (d *dailyFile) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if d.failing && now.Before(d.retryAt) {
		return len(p), nil
	}
	err := d.write(now, p)
	if (err != nil) != d.failing {
		d.failing = err != nil
		d.complain(err)
	}
	if err != nil {
		d.retryAt = now.Add(reopenPause)
	}
	return len(p), nil
}

func (d *dailyFile) write(now time.Time, p []byte) error {
	if day := now.Local().Format(time.DateOnly); d.file == nil || day != d.day {
		if err := d.open(day); err != nil {
			return err
		}
	}
	if d.torn {
		p = append([]byte("\n"), p...)
	}
	n, err := d.file.Write(p)
	if n > 0 {
		d.torn = n < len(p)
	}
	return err
}

func (d *dailyFile) open(day string) error {
	if d.file != nil {
		_ = d.file.Close() // nothing is buffered on our side
		d.file = nil
	}
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return err
	}
	name := filepath.Join(d.dir, filePrefix+day+fileSuffix)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640) //nolint:gosec // a group of operators may read logs
	if err != nil {
		return err
	}
	d.file, d.day, d.torn = f, day, false
	d.prune()
	return nil
}

// prune removes the oldest files beyond those to keep. Failing is harmless: it
// is tried again tomorrow.
func (d *dailyFile) prune() {
	names, err := filepath.Glob(filepath.Join(escape(d.dir), filePrefix+"????-??-??"+fileSuffix))
	if err != nil || len(names) <= d.keep {
		return
	}
	slices.Sort(names)
	for _, name := range names[:len(names)-d.keep] {
		_ = os.Remove(name)
	}
}

// escape makes a path match itself alone in a pattern.
func escape(path string) string {
	var b []byte
	for _, c := range []byte(path) {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(b)
}

// Close closes the day's file.
func (d *dailyFile) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		return nil
	}
	err := d.file.Close()
	d.file = nil
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}
