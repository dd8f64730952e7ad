package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const taint = "T4INTED-secret"

// place is a pair of directories that work, and the environment that names them.
type place struct {
	state, watch string
	environ      []string
}

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{state: t.TempDir(), watch: t.TempDir()}
	p.environ = []string{"STATE_DIR=" + p.state, "FLU_WATCH_DIR=" + p.watch, "FLU_ACCOUNT=" + taint, "FLU_PASSWORD=" + taint, "DISK_RESERVE=0"}
	return p
}

// lasting says that every directory is on a good disk.
func lasting(string) fileSystem { return fileSystem{name: "ext4"} }

func run(t *testing.T, environ []string, o Options) Report {
	t.Helper()
	if o.kind == nil {
		o.kind = lasting
	}
	cfg, err := config.Load(environ)
	r := Run(t.Context(), cfg, err, o)
	for _, s := range r.Steps {
		for _, id := range []string{s.What, s.Remedy} {
			if id != "" && !phrase.Has(id) && !strings.HasPrefix(id, "remedy.") { // not every reason has a remedy
				t.Errorf("no phrase %s", id)
			}
		}
		for _, lang := range phrase.Langs() {
			if text := s.Text(lang) + s.Advice(lang); strings.ContainsAny(text, "{}") {
				t.Errorf("%s: parameter left open: %s", s.What, text)
			}
		}
	}
	return r
}

// step gives the one step of a name.
func step(t *testing.T, r Report, name string) Step {
	t.Helper()
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no step %s in %+v", name, r.Steps)
	}
	return r.Steps[i]
}

func TestGoodPlacePasses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := run(t, p.environ, Options{
		Writers: func(path string) Writer { // as a probe that works
			if strings.Contains(path, ".hqms-check-") && openedForWriting(path) {
				return Writing
			}
			return Nobody
		},
		Events:  func(context.Context, string) error { return nil },
		Network: network{FromReason("dns", upload.Flu, OK, "", "", 0)},
	})
	var got []string
	for _, s := range r.Steps {
		got = append(got, s.Name+" "+string(s.Status))
	}
	want := []string{"settings ok", "clock ok", "state_dir ok", "watch_dir ok", "writer_probe ok", "events ok", "dns ok"}
	if diff := cmp.Diff(want, got); diff != "" || r.ExitCode() != 0 {
		t.Errorf("exit code %d\n%s", r.ExitCode(), diff)
	}
	for _, dir := range []string{p.state, p.watch} {
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind in %s: %v", dir, left)
		}
	}
}

// openedForWriting reports whether this process has path open for writing.
func openedForWriting(path string) bool {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if target, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && target == path {
			return true
		}
	}
	return false
}

type network []Step

func (n network) Try(context.Context, config.Channel) []Step { return n }

func TestEveryFaultOfTheSettingsIsAStepAndTheRestIsStillLookedAt(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := run(t, append(p.environ, "QUIET_PERIOD=x", "HQMS_PASSWROD=y", "FLU_SERVER_URL=http://s/"), Options{})
	var got []string
	for _, s := range r.Steps {
		got = append(got, s.Name+" "+string(s.Status)+" "+s.Detail)
	}
	want := []string{
		"settings fail HQMS_PASSWROD", "settings fail QUIET_PERIOD", "settings warn FLU_SERVER_URL",
		"clock ok ", "state_dir ok ", "watch_dir ok ",
	}
	if diff := cmp.Diff(want, got); diff != "" || r.ExitCode() != 1 {
		t.Errorf("exit code %d\n%s", r.ExitCode(), diff)
	}
}

func TestStateDirectoryFaults(t *testing.T) {
	t.Parallel()
	on := func(kind fileSystem) func(string) fileSystem { return func(string) fileSystem { return kind } }
	fails := func(op durable.Op, err error) durable.Hook {
		return func(o durable.Op, _ string) error {
			if o == op {
				return err
			}
			return nil
		}
	}
	tests := []struct {
		name   string
		set    string
		o      Options
		status Status
		what   string
	}{
		{"network file system", "", Options{kind: on(fileSystem{name: "nfs", network: true})}, Fail, "check.state_network"},
		{"lost with the container", "", Options{kind: on(fileSystem{name: "overlay", fleeting: true})}, Warn, "check.state_fleeting"},
		{"less than the reserve", "DISK_RESERVE=1000TiB", Options{}, Fail, "check.state_full"},
		{"missing", "STATE_DIR=/no/such/place", Options{}, Fail, "check.missing"},
		{"a file", "STATE_DIR=/proc/self/status", Options{}, Fail, "check.no_directory"},
		{"read-only", "", Options{hook: fails(durable.OpCreate, syscall.EROFS)}, Fail, "check.read_only"},
		{"full", "", Options{hook: fails(durable.OpWrite, syscall.ENOSPC)}, Fail, "check.full"},
		{"no permission", "", Options{hook: fails(durable.OpCreate, syscall.EACCES)}, Fail, "check.unwritable"},
		{"no sync", "", Options{hook: fails(durable.OpSync, syscall.EIO)}, Fail, "check.not_durable"},
		{"no sync of the directory", "", Options{hook: fails(durable.OpSyncDir, syscall.EIO)}, Fail, "check.not_durable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s := step(t, run(t, append(p.environ, tt.set), tt.o), "state_dir")
			if s.Status != tt.status || s.What != tt.what || s.Advice(phrase.English) == "" || s.Advice(phrase.Chinese) == "" {
				t.Errorf("step: %+v", s)
			}
		})
	}
}

func TestMissingPermissionComesWithTheExactRemedy(t *testing.T) {
	t.Parallel()
	denied := func(o durable.Op, _ string) error {
		if o == durable.OpCreate {
			return syscall.EACCES
		}
		return nil
	}
	tests := []struct {
		name   string
		mode   fs.FileMode
		groups []int
		want   string
	}{
		{"owner only", 0o755, nil, "chown -R 65532:65533 '"},
		{"open to a group we are not in", 0o775, nil, "--group-add "},
		{"open to a group we are in", 0o775, []int{os.Getgid()}, "chown -R 65532:65533 '"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			must(t, os.Chmod(p.watch, tt.mode))
			s := step(t, run(t, p.environ, Options{hook: denied, who: func() (int, int, []int) { return 65532, 65533, tt.groups }}), "watch_dir")
			if s.Status != Fail || !strings.Contains(s.Advice(phrase.English), tt.want) || !strings.Contains(s.Advice(phrase.Chinese), tt.want) {
				t.Errorf("advice: %s", s.Advice(phrase.English))
			}
			if !strings.Contains(s.Detail, "program uid=65532 gid=65533") {
				t.Errorf("detail: %s", s.Detail)
			}
		})
	}
}

func TestAnotherOwnersDirectoryIsNamedWithWhatToSetInKubernetes(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: directories can be given away by root alone")
	}
	denied := func(durable.Op, string) error { return syscall.EACCES }
	for owner, all := range map[int][]string{
		1234: {"podSecurity.runAsUser: 1234", "podSecurity.runAsGroup: 4321", "podSecurity.fsGroup: 4321"},
		0:    {"podSecurity.fsGroup: 65533"},
	} {
		p := newPlace(t)
		must(t, os.Chmod(p.watch, 0o750))
		must(t, os.Chown(p.watch, owner, 4321))
		s := step(t, run(t, p.environ, Options{hook: denied, who: func() (int, int, []int) { return 65532, 65533, nil }}), "watch_dir")
		for _, want := range all {
			if s.Reason != upload.PermissionDenied || !strings.Contains(s.Advice(phrase.English), want) || !strings.Contains(s.Advice(phrase.Chinese), want) {
				t.Errorf("owner %d: %s: %s", owner, s.Reason, s.Advice(phrase.English))
			}
		}
	}
}

func TestStateOnANetworkFileSystemIsFineWhereTheJournalIsElsewhere(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := Options{kind: func(string) fileSystem { return fileSystem{name: "nfs", network: true} }}
	if s := step(t, run(t, append(p.environ, "DATABASE_URL=postgres://h@db/h"), o), "state_dir"); s.Status != OK {
		t.Errorf("step: %+v", s)
	}
}

func TestWatchedDirectoryThatIsKeptNeedNotBeWritable(t *testing.T) {
	t.Parallel()
	readOnly := func(o durable.Op, _ string) error {
		if o == durable.OpCreate {
			return syscall.EROFS
		}
		return nil
	}
	p := newPlace(t)
	if s := step(t, run(t, p.environ, Options{hook: readOnly}), "watch_dir"); s.What != "check.read_only" ||
		!strings.Contains(s.Advice(phrase.English), "FLU_ON_ACCEPTED=keep") {
		t.Errorf("step: %+v", s)
	}
	kept := append(slices.Clone(p.environ), "FLU_ON_ACCEPTED=keep", "FLU_ON_REJECTED=keep")
	if s := step(t, run(t, kept, Options{hook: readOnly}), "watch_dir"); s.Status != OK {
		t.Errorf("step: %+v", s)
	}
}

func TestStickyDirectoryOfAnotherUserIsWarnedOf(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	must(t, os.Chmod(p.watch, 0o777|fs.ModeSticky))
	o := Options{who: func() (int, int, []int) { return os.Getuid() + 1, os.Getgid(), nil }}
	if s := step(t, run(t, p.environ, o), "watch_dir"); s.Status != Warn || s.What != "check.sticky" {
		t.Errorf("step: %+v", s)
	}
}

func TestWriterProbeThatCannotSayIsAWarning(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		probe func(path string) Writer
		who   int
		file  bool
		want  string
	}{
		{"always unknown", func(string) Writer { return Unknown }, os.Getuid(), false, "check.writer_probe_blind"},
		{"never sees a writer", func(string) Writer { return Nobody }, os.Getuid(), false, "check.writer_probe_blind"},
		{"others' files", func(string) Writer { return Unknown }, os.Getuid() + 1, true, "check.writer_probe_foreign"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if tt.file {
				must(t, os.WriteFile(filepath.Join(p.watch, "flu_x.csv"), nil, 0o600))
			}
			r := run(t, p.environ, Options{Writers: tt.probe, who: func() (int, int, []int) { return tt.who, 0, nil }})
			if s := step(t, r, "writer_probe"); s.Status != Warn || s.What != tt.want || r.ExitCode() != 0 {
				t.Errorf("step: %+v", s)
			}
		})
	}
}

func TestNoEventsIsAWarning(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := step(t, run(t, p.environ, Options{Events: func(context.Context, string) error { return errors.New("none in 2 s") }}), "events")
	if s.Status != Warn || !strings.Contains(s.Text(phrase.English), "none in 2 s") {
		t.Errorf("step: %+v", s)
	}
}

func TestWhatDependsOnAFailedDirectoryIsSkipped(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := run(t, append(p.environ, "FLU_WATCH_DIR=/no/such"), Options{
		Writers: func(string) Writer { t.Error("asked"); return Nobody },
		Events:  func(context.Context, string) error { t.Error("asked"); return nil },
	})
	if step(t, r, "writer_probe").Status != Skip || step(t, r, "events").Status != Skip || r.Passed() {
		t.Errorf("steps: %+v", r.Steps)
	}
}

func TestClockBeforeTheBuildIsWrong(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	built := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := step(t, run(t, p.environ, Options{Built: built, Now: func() time.Time { return time.Unix(0, 0) }}), "clock")
	if s.Status != Fail {
		t.Errorf("step: %+v", s)
	}
}

func TestReportHoldsNoSecretAndBothLanguages(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := run(t, append(p.environ, "STATE_DIR=/no/such"), Options{
		Network: network{FromReason("credentials", upload.Flu, Fail, upload.CredentialsRefused, "", time.Second)},
	})
	var text, object bytes.Buffer
	must(t, r.PrintText(&text))
	must(t, r.PrintJSON(&object))
	for _, want := range []string{"FLU_PASSWORD=[set]", "不存在", "does not exist", "[fail] flu credentials", "→ correct account and password"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("missing %q in\n%s", want, text.String())
		}
	}
	if all := text.String() + object.String(); strings.Contains(all, taint) {
		t.Error("a secret is shown")
	}
	var back struct {
		Passed bool
		Steps  []struct {
			Step, Channel, Status string
			ZH, EN                struct{ Text, Remedy string }
		}
	}
	must(t, json.Unmarshal(object.Bytes(), &back))
	last := back.Steps[len(back.Steps)-1]
	if back.Passed || last.Step != "credentials" || last.Status != "fail" || last.ZH.Text == "" || last.EN.Remedy == "" {
		t.Errorf("JSON: %+v", last)
	}
}

func TestLogDirectoryIsLookedAtWhenSet(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if s := step(t, run(t, append(p.environ, "LOG_DIR="+t.TempDir()), Options{}), "log_dir"); s.Status != OK {
		t.Errorf("step: %+v", s)
	}
	if s := step(t, run(t, append(p.environ, "LOG_DIR=/no/such"), Options{}), "log_dir"); s.Status != Warn {
		t.Errorf("step: %+v", s)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A program at work looks every few seconds, and may be killed at any moment: it
// makes no file that could be left, or that a watcher would be told of.
func TestLookingAtDirectoriesAtWorkMakesNoFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	cfg, err := config.Load(p.environ)
	if err != nil {
		t.Fatal(err)
	}
	for asking, want := range map[bool]bool{true: false, false: true} {
		made := false
		o := Options{asking: asking, hook: func(op durable.Op, _ string) error {
			made = made || op == durable.OpCreate
			return nil
		}}.withDefaults()
		for _, s := range o.directories(cfg) {
			if s.Status == Fail {
				t.Errorf("%+v", s)
			}
		}
		if made != want {
			t.Errorf("asking %v: files made %v", asking, made)
		}
	}
}
