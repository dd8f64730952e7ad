package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/check"
	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/settle"
	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/probe"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/watch"
)

// runCheck looks at everything that has to be right before files can be
// delivered, and says what to do about what is not.
func runCheck(ctx context.Context, c Call, args []string) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(c.Stderr)
	asJSON := flags.Bool("json", false, "以 JSON 输出 | print JSON")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return exitUsage
	}
	cfg, loaded := config.Load(c.Environ)
	if library, err := loadStandards(cfg); err == nil {
		if more := config.FaultsOf(cfg.CheckKinds(library.Kinds)); len(more) > 0 {
			loaded = append(config.FaultsOf(loaded), more...)
		}
	}
	report := check.Run(ctx, cfg, loaded, check.Options{
		Network: network{cfg, config.NewSecrets(cfg, nil)}, Writers: hasWriters, Events: eventsArrive, Built: built(),
	})
	if cfg.AlertWebhookURL.IsSet() {
		report.Steps = append(report.Steps, checkAlerts(ctx, cfg))
	}
	printed := report.PrintText
	if *asJSON {
		printed = report.PrintJSON
	}
	if err := printed(c.Stdout); err != nil {
		return exitFailed
	}
	return report.ExitCode()
}

// network tries the way to each channel's server.
type network struct {
	cfg     *config.Config
	secrets *config.Secrets
}

// Try implements check.Network.
func (n network) Try(ctx context.Context, ch config.Channel) []check.Step {
	client, err := newClient(n.cfg, ch, n.secrets, nil, nil)
	if err != nil {
		return []check.Step{check.FromReason("tls", ch.Name, check.Fail, upload.ServerTLS, err.Error(), 0)}
	}
	defer client.Close()
	status := map[probe.Result]check.Status{probe.Passed: check.OK, probe.Warned: check.Warn, probe.Failed: check.Fail, probe.Skipped: check.Skip}
	var steps []check.Step
	for _, c := range probe.Run(ctx, client.Target(nil), nil) {
		steps = append(steps, check.FromReason(stepName(c.Step), ch.Name, status[c.Result], c.Reason, c.Detail, c.Took))
	}
	return steps
}

// stepName tells the server's clock from our own.
func stepName(s probe.Step) string {
	if s == probe.Clock {
		return "server_clock"
	}
	return string(s)
}

// hasWriters asks the kernel as settling does.
func hasWriters(path string) check.Writer {
	switch w, _ := settle.Probe(path); w {
	case settle.Nobody:
		return check.Nobody
	case settle.Writing:
		return check.Writing
	default:
		return check.Unknown
	}
}

// eventsArrive lets a watcher test itself in dir.
func eventsArrive(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d, err := durable.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only read
	w := watch.New(watch.Options{Dir: watch.From(d), Ledger: blind{}, Kinds: func(string) (upload.Kind, bool) { return "", false }})
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.Run(ctx) }() // it ends with ctx alone, and then without a fault
	defer func() { cancel(); <-ended }()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		switch test := w.Status().SelfTest; test {
		case watch.TestOK, watch.TestReadOnly:
			return nil
		case watch.TestNone, watch.TestPending:
		case watch.TestNoEvents:
			return errors.New("no event came for the canary file")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the self-test of file events did not end: %w", ctx.Err())
		case <-look.C:
		}
	}
}

// blind takes note of nothing.
type blind struct{}

// SpotAll implements watch.Ledger.
func (blind) SpotAll(_ context.Context, all []upload.Sighting) []upload.Spotted {
	answers := make([]upload.Spotted, len(all))
	for i := range answers {
		answers[i].How = upload.Known
	}
	return answers
}

// built is when the sources of this program were committed; zero if unknown.
func built() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			at, _ := time.Parse(time.RFC3339, s.Value)
			return at
		}
	}
	return time.Time{}
}

// Foretell implements watch.Ledger.
func (blind) Foretell(context.Context, upload.Sighting) (upload.Upload, upload.Spotting, error) {
	return upload.Upload{}, upload.Known, nil
}
