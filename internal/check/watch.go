package check

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
)

// watching tries how a channel's directory is followed: whether writers are
// seen, and whether events arrive. What cannot be tried since the directory
// failed is skipped.
func (o Options) watching(ctx context.Context, ch config.Channel, dir Step) []Step {
	var steps []Step
	if o.Writers != nil {
		steps = append(steps, o.writerProbe(ch, dir))
	}
	if o.Events != nil {
		steps = append(steps, o.events(ctx, ch, dir))
	}
	return steps
}

func skipped(name string, ch config.Channel) Step {
	return Step{Name: name, Channel: ch.Name, Status: Skip, What: "check.skipped"}
}

// writerProbe tries the probe on a file of ours, open and then closed, and on
// one that somebody else put there, if there is one.
func (o Options) writerProbe(ch config.Channel, dir Step) Step {
	if dir.Status == Fail {
		return skipped("writer_probe", ch)
	}
	s := Step{Name: "writer_probe", Channel: ch.Name, Status: OK, What: "check.writer_probe", Params: map[string]string{"path": ch.WatchDir}}
	unclear := func(what string) Step {
		s.Status, s.What, s.Remedy = Warn, what, "check.remedy.writer_probe"
		return s
	}
	if other, ok := o.foreign(ch.WatchDir); ok && o.Writers(other) == Unknown {
		return unclear("check.writer_probe_foreign")
	}
	path := filepath.Join(ch.WatchDir, ".hqms-check-"+strconv.Itoa(os.Getpid()))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil { // read-only, and meant to be
		return unclear("check.writer_probe_untried")
	}
	open := o.Writers(path)
	_ = f.Close() // an empty file
	closed := o.Writers(path)
	_ = os.Remove(path) // a dotted name: harmless if it stays
	if open != Writing || closed != Nobody {
		return unclear("check.writer_probe_blind")
	}
	return s
}

// foreign finds a regular file in dir that belongs to another user.
func (o Options) foreign(dir string) (string, bool) {
	f, err := os.Open(dir)
	if err != nil {
		return "", false
	}
	defer f.Close() //nolint:errcheck // read only
	uid, _, _ := o.who()
	entries, _ := f.ReadDir(200) // a few are enough
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if owner, ok := ownerOf(info); ok && owner != uid {
			return filepath.Join(dir, e.Name()), true
		}
	}
	return "", false
}

// events tries whether events arrive. Without them the rescan finds every file,
// only later.
func (o Options) events(ctx context.Context, ch config.Channel, dir Step) Step {
	if dir.Status == Fail {
		return skipped("events", ch)
	}
	s := Step{Name: "events", Channel: ch.Name, Status: OK, What: "check.events", Params: map[string]string{"path": ch.WatchDir}}
	if err := o.Events(ctx, ch.WatchDir); err != nil {
		s.Status, s.What, s.Remedy = Warn, "check.no_events", "check.remedy.no_events"
		s.Params["cause"] = cause(err)
	}
	return s
}

func ownerOf(info os.FileInfo) (int, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}
