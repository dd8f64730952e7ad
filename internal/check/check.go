package check

import (
	"context"
	"strconv"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/phrase"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Status is how a step ended.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
	Skip Status = "skip" // could not be tried, since an earlier step failed
)

// Step is one thing looked at.
type Step struct {
	Name    string         // of a small set: "settings", "state_dir", "watch_dir", "dns" …
	Channel upload.Channel // empty: the whole program
	Status  Status
	What    string            // phrase of what was found
	Remedy  string            // phrase of what to do; may be empty
	Params  map[string]string // of both phrases; never a secret
	Reason  upload.Reason     // of a directory that may not be used as it has to be; else empty
	Detail  string            // particulars, the same in both languages; may be empty
	Took    time.Duration
}

// Text is what was found.
func (s Step) Text(lang phrase.Lang) string { return phrase.Text(lang, s.What, s.Params) }

// Advice is what to do; empty if nothing.
func (s Step) Advice(lang phrase.Lang) string {
	if s.Remedy == "" || !phrase.Has(s.Remedy) {
		return ""
	}
	return phrase.Text(lang, s.Remedy, s.Params)
}

// FromReason makes a step of a reason of the domain, whose words and remedy the
// catalogue has; of an empty reason, a step that went well.
func FromReason(name string, ch upload.Channel, status Status, r upload.Reason, detail string, took time.Duration) Step {
	s := Step{Name: name, Channel: ch, Status: status, What: "check.step." + name, Detail: detail, Took: took}
	switch {
	case status == Skip:
		s.What = "check.skipped"
	case r != "":
		s.What, s.Remedy = "reason."+string(r), "remedy."+string(r)
	}
	return s
}

// Network tries the way to a channel's server: name, port, TLS, clocks,
// credentials. Each finding is a step; FromReason makes them.
type Network interface {
	Try(ctx context.Context, ch config.Channel) []Step
}

// Writer is what is known of writers of a file.
type Writer int

// The answers.
const (
	Unknown Writer = iota // it cannot be said
	Nobody                // nobody has it open for writing
	Writing               // somebody has
)

// Options are what Run needs of the other packages. A nil function leaves its
// step out.
type Options struct {
	Network Network
	// Writers asks whether anybody has the file at path open for writing.
	Writers func(path string) Writer
	// Events reports whether file events arrive from dir.
	Events func(ctx context.Context, dir string) error
	Now    func() time.Time
	Built  time.Time // when the program was built; a clock before it is wrong

	asking bool // the kernel is asked for leave, instead of trying

	hook durable.Hook // tests put faults in here
	who  func() (uid, gid int, groups []int)
	kind func(path string) fileSystem
}

// Report is the result of a run.
type Report struct {
	Settings []config.Setting
	Steps    []Step
}

// Passed reports whether nothing failed.
func (r Report) Passed() bool {
	for _, s := range r.Steps {
		if s.Status == Fail {
			return false
		}
	}
	return true
}

// ExitCode is 0 if nothing failed, else 1; warnings do not count.
func (r Report) ExitCode() int {
	if r.Passed() {
		return 0
	}
	return 1
}

// Run looks at everything. cfg and loaded are what config.Load gave; with
// faults, the rest is looked at as far as cfg goes.
func Run(ctx context.Context, cfg *config.Config, loaded error, o Options) Report {
	o = o.withDefaults()
	r := Report{Settings: cfg.Settings(), Steps: settings(cfg, loaded)}
	r.Steps = append(r.Steps, o.clock(), o.stateDir(cfg))
	if cfg.LogDir != "" {
		r.Steps = append(r.Steps, o.logDir(cfg))
	}
	for _, ch := range cfg.Channels() {
		dir := o.watchDir(ch)
		r.Steps = append(r.Steps, dir)
		r.Steps = append(r.Steps, o.watching(ctx, ch, dir)...)
		if o.Network != nil {
			r.Steps = append(r.Steps, o.Network.Try(ctx, ch)...)
		}
	}
	return r
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.who == nil {
		o.who = whoAmI
	}
	if o.kind == nil {
		o.kind = fileSystemOf
	}
	return o
}

// settings makes a step of each fault and warning, or one that says all is well.
func settings(cfg *config.Config, loaded error) []Step {
	var steps []Step
	add := func(status Status, f config.Fault) {
		steps = append(steps, Step{
			Name: "settings", Status: status, What: "config.fault." + f.What, Remedy: "config.remedy." + f.What,
			Params: f.Params, Detail: f.Variable,
		})
	}
	for _, f := range config.FaultsOf(loaded) {
		add(Fail, f)
	}
	for _, f := range cfg.Warnings() {
		add(Warn, f)
	}
	if len(config.FaultsOf(loaded)) == 0 {
		given := 0
		for _, s := range cfg.Settings() {
			if !s.Default {
				given++
			}
		}
		steps = append(steps, Step{Name: "settings", Status: OK, What: "check.settings", Params: map[string]string{"n": strconv.Itoa(given)}})
	}
	return steps
}

// clock looks at the clock alone; how far it is from a server's is the
// network's to say.
func (o Options) clock() Step {
	now := o.Now()
	s := Step{Name: "clock", Status: OK, What: "check.clock", Params: map[string]string{"now": now.Format(time.RFC3339), "zone": now.Location().String()}}
	if now.Before(o.Built.Add(-24 * time.Hour)) {
		s.Status, s.What, s.Remedy = Fail, "check.clock_wrong", "check.remedy.clock_wrong"
	}
	return s
}
