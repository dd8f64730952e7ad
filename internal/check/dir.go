package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// roomy is the free space below which a warning is due: a large file and its
// packed copy.
const roomy = 1 << 30

// Directories looks at the directories alone: STATE_DIR first, then that of each
// channel. It is quick, and asks nobody.
func Directories(cfg *config.Config) []Step { return Options{}.withDefaults().directories(cfg) }

// Access is Directories for a program at work: it asks the kernel for leave where
// the other tries, and so leaves no file behind however it ends, wakes no watcher
// and does not read a directory to its end.
func Access(cfg *config.Config) []Step {
	o := Options{}.withDefaults()
	o.asking = true
	return o.directories(cfg)
}

func (o Options) directories(cfg *config.Config) []Step {
	steps := []Step{o.stateDir(cfg)}
	for _, ch := range cfg.Channels() {
		steps = append(steps, o.watchDir(ch))
	}
	return steps
}

// stateDir looks at STATE_DIR: there, writable, durable, with room, on a file
// system that a database may live on.
func (o Options) stateDir(cfg *config.Config) Step {
	s := Step{Name: "state_dir", Status: OK, What: "check.state_dir", Params: map[string]string{"path": cfg.StateDir, "variable": "STATE_DIR"}}
	dir, done := o.open(&s, cfg.StateDir)
	if done {
		return s
	}
	defer dir.Close() //nolint:errcheck // nothing was written through it that counts
	if err := o.writable(dir); err != nil {
		return o.unwritable(s, cfg.StateDir, err)
	}
	if o.asking {
		return s
	}
	if err := tryDurable(dir); err != nil {
		return failed(s, "check.not_durable", err)
	}
	free, err := dir.FreeBytes()
	if err != nil {
		return failed(s, "check.not_durable", err)
	}
	s.Params["free"], s.Params["reserve"] = size(free), cfg.DiskReserve.String()
	kind := o.kind(cfg.StateDir)
	s.Params["fs"] = kind.name
	switch {
	case kind.network && !cfg.DatabaseURL.IsSet(): // the journal is elsewhere
		s.Status, s.What, s.Remedy = Fail, "check.state_network", "check.remedy.state_network"
	case free < int64(cfg.DiskReserve):
		s.Status, s.What, s.Remedy = Fail, "check.state_full", "check.remedy.state_full"
	case free < int64(cfg.DiskReserve)+roomy:
		s.Status, s.What, s.Remedy = Warn, "check.state_tight", "check.remedy.state_full"
	case kind.fleeting:
		s.Status, s.What, s.Remedy = Warn, "check.state_fleeting", "check.remedy.state_fleeting"
	}
	return s
}

func (o Options) writable(dir *durable.Dir) error {
	if o.asking {
		return dir.MayWrite()
	}
	return dir.ProbeWritable()
}

// tryDurable writes, syncs, renames and removes a file, as the journal's
// neighbours do.
func tryDurable(dir *durable.Dir) error {
	name := ".hqms-check-" + strconv.Itoa(os.Getpid())
	if err := dir.WriteFile(name+".part", name, []byte("check\n")); err != nil {
		_ = dir.Remove(name + ".part")
		return err
	}
	return dir.Remove(name)
}

func (o Options) logDir(cfg *config.Config) Step {
	s := Step{Name: "log_dir", Status: OK, What: "check.log_dir", Params: map[string]string{"path": cfg.LogDir, "variable": "LOG_DIR"}}
	dir, done := o.open(&s, cfg.LogDir)
	if done {
		if s.What == "check.missing" { // it is made at the start
			s.Status, s.What = Warn, "check.log_dir_missing"
		}
		return s
	}
	defer dir.Close() //nolint:errcheck // nothing was written through it that counts
	if err := dir.ProbeWritable(); err != nil {
		return o.unwritable(s, cfg.LogDir, err)
	}
	return s
}

// watchDir looks at a channel's directory: there, readable, and, unless its
// originals are left in place, writable.
func (o Options) watchDir(ch config.Channel) Step {
	prefix := strings.ToUpper(string(ch.Name)) + "_"
	s := Step{
		Name: "watch_dir", Channel: ch.Name, Status: OK, What: "check.watch_dir",
		Params: map[string]string{"path": ch.WatchDir, "variable": prefix + "WATCH_DIR", "prefix": prefix},
	}
	dir, done := o.open(&s, ch.WatchDir)
	if done {
		return s
	}
	defer dir.Close() //nolint:errcheck // nothing was written through it that counts
	entries := 0
	for _, err := range dir.List(".") {
		if err != nil {
			return o.denied(s, ch.WatchDir, "check.unreadable", err)
		}
		if entries++; o.asking {
			break
		}
	}
	s.Params["n"] = strconv.Itoa(entries)
	if ch.OnAccepted == "keep" && ch.OnRejected == "keep" {
		s.What = "check.watch_dir_kept"
		return s
	}
	if err := o.writable(dir); err != nil {
		return o.unwritable(s, ch.WatchDir, err)
	}
	return o.sticky(s, ch.WatchDir)
}

// sticky warns of a directory in which only a file's owner may rename it.
func (o Options) sticky(s Step, path string) Step {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeSticky == 0 {
		return s
	}
	uid, _, _ := o.who()
	if st, ok := info.Sys().(*syscall.Stat_t); ok && uid != 0 && int(st.Uid) != uid {
		s.Params["uid"], s.Params["owner"] = strconv.Itoa(uid), strconv.Itoa(int(st.Uid))
		s.Status, s.What, s.Remedy = Warn, "check.sticky", "check.remedy.sticky"
	}
	return s
}

// open opens path, or tells why not: done is true when the step is decided.
func (o Options) open(s *Step, path string) (dir *durable.Dir, done bool) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Status, s.What, s.Remedy = Fail, "check.missing", "check.remedy.missing"
		s.Params["uid"], s.Params["gid"] = o.ids()
		return nil, true
	case err != nil:
		*s = o.denied(*s, path, "check.unreadable", err)
		return nil, true
	case !info.IsDir():
		s.Status, s.What, s.Remedy = Fail, "check.no_directory", "check.remedy.no_directory"
		return nil, true
	}
	dir, err = durable.Open(path, durable.WithHook(o.hook))
	if err != nil {
		*s = o.denied(*s, path, "check.unreadable", err)
		return nil, true
	}
	return dir, false
}

func (o Options) ids() (uid, gid string) {
	u, g, _ := o.who()
	return strconv.Itoa(u), strconv.Itoa(g)
}

// unwritable says why a directory cannot be written, and what to do about it.
func (o Options) unwritable(s Step, path string, err error) Step {
	switch {
	case errors.Is(err, durable.ErrReadOnly):
		s.Status, s.What, s.Remedy, s.Reason = Fail, "check.read_only", "check.remedy.read_only", upload.ReadOnly
		if s.Channel == "" {
			s.Remedy = "check.remedy.read_only_own"
		}
		return s
	case errors.Is(err, durable.ErrFull):
		s.Status, s.What, s.Remedy = Fail, "check.full", "check.remedy.state_full"
		return s
	default:
		return o.denied(s, path, "check.unwritable", err)
	}
}

// denied is a missing permission, with the one command that grants it: for the
// user, the directory's owner and group, and the way Kubernetes says it.
func (o Options) denied(s Step, path, what string, err error) Step {
	if !errors.Is(err, fs.ErrPermission) {
		return failed(s, what, err)
	}
	uid, gid, groups := o.who()
	s.Status, s.What, s.Remedy = Fail, what, "check.remedy.chown"
	s.Reason = upload.PermissionDenied
	s.Params["uid"], s.Params["gid"], s.Params["cause"] = strconv.Itoa(uid), strconv.Itoa(gid), cause(err)
	s.Params["owner"], s.Params["ownergroup"] = s.Params["uid"], s.Params["gid"] // as long as nothing better is known
	at := reachable(path)
	s.Params["at"] = at
	info, statErr := os.Stat(at)
	if statErr != nil {
		return s
	}
	s.Detail = info.Mode().String()
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return s
	}
	owner := int(st.Gid)
	s.Params["owner"], s.Params["ownergroup"] = strconv.Itoa(int(st.Uid)), strconv.Itoa(owner)
	if st.Uid == 0 {
		s.Remedy = "check.remedy.chown_root"
	}
	s.Detail = fmt.Sprintf("%s uid=%d gid=%d, program uid=%d gid=%d", info.Mode(), st.Uid, st.Gid, uid, gid)
	if info.Mode().Perm()&0o070 == 0o070 && owner != gid && !slices.Contains(groups, owner) {
		// The group may do it all; we are just not in it.
		s.Params["group"], s.Remedy = strconv.Itoa(owner), "check.remedy.group"
	}
	return s
}

// reachable is the deepest part of path that can be looked at: a directory
// above may be what keeps us out.
func reachable(path string) string {
	for {
		if _, err := os.Lstat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

func failed(s Step, what string, err error) Step {
	s.Status, s.What, s.Remedy = Fail, what, "check.remedy.local"
	s.Params["cause"] = cause(err)
	return s
}

// cause is the plain cause of a file system error.
func cause(err error) string {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no.Error()
	}
	return err.Error()
}

func whoAmI() (uid, gid int, groups []int) {
	groups, _ = os.Getgroups()
	return os.Getuid(), os.Getgid(), groups
}

// size is an amount for people: 12.3 GiB.
func size(n int64) string {
	const units = "KMGT"
	if n < 1<<10 {
		return strconv.FormatInt(n, 10)
	}
	f, i := float64(n)/(1<<10), 0
	for f >= 1<<10 && i < len(units)-1 {
		f, i = f/(1<<10), i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}
