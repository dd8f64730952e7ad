package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
	"github.com/hqms-sidecar/hqms-sidecar/internal/channel"
	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/httpapi"
	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pack"
	"github.com/hqms-sidecar/hqms-sidecar/internal/pipeline"
	"github.com/hqms-sidecar/hqms-sidecar/internal/recovery"
	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/telemetry"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
	"github.com/hqms-sidecar/hqms-sidecar/internal/validate"
	"github.com/hqms-sidecar/hqms-sidecar/internal/watch"
)

const (
	// stopBudget is how long an orderly stop may take, in all. Kubernetes gives
	// 30 s by default; running calls and telemetry have budgets of their own.
	stopBudget = 25 * time.Second
	// secretsEvery is how often secrets in files are looked at, besides at once
	// when a server refuses what they say.
	secretsEvery = 10 * time.Second
)

// Seams let a test reach between the program and its surroundings. The zero
// value is for production.
type Seams struct {
	Journal func(op string) error                  // before each operation of the journal
	Files   func(op durable.Op, name string) error // before each operation on a file
	Lease   time.Duration                          // of an upload that is worked on; 0: 30 s
	Now     func() time.Time                       // the wall clock, with a monotonic reading; nil: time.Now
}

// App is the running program. Make it with New, run it with Run.
type App struct {
	cfg       *config.Config
	seams     Seams
	now       func() time.Time // ours; what is stored in the journal, or compared with it, goes by journal.Now
	life      lifecycle
	telemetry *telemetry.Telemetry
	log       *slog.Logger
	secrets   *config.Secrets
	reread    chan struct{} // a server refused credentials: their files may say others by now
	standards *standard.Library

	state, spool *durable.Dir
	journal      *journal.Journal
	recovery     *recovery.Log // nil: the journal is not in the state directory
	setAside     string        // the damaged journal's new name, if there was one
	trouble      *trouble
	noted        verdicts     // verdicts in the recovery log whose originals are being put away
	moved        atomic.Int64 // outcomes recorded
	decided      fences       // under which fence uploads got their verdict from the server
	lines        map[upload.Channel]*line
	stages       stages
	sending      *sending
	dueWithin    func(ch upload.Channel, kind upload.Kind, d time.Duration) bool // nothing has arrived, and it is due; nil: nobody knows
	chooser      *pack.Chooser
	alerts       alerts
	batches      *validate.Batches
	compare      chan string // batches of which a file has left validation
	pipeline     *pipeline.Pipeline
	calendar     *calendar.Keeper // nil: nothing is expected
	health       *health
	forbidden    forbidden
	server       *httpapi.Server
	listener     net.Listener
}

// New sets everything up and starts nothing. When it fails, what was set up is
// taken down again.
func New(ctx context.Context, cfg *config.Config, stdout io.Writer, seams Seams) (*App, error) {
	if seams.Now == nil {
		seams.Now = time.Now
	}
	a := &App{
		cfg: cfg, seams: seams, now: seams.Now, lines: map[upload.Channel]*line{}, sending: newSending(seams.Now), trouble: newTrouble(),
		batches: validate.NewBatches(seams.Now), compare: make(chan string, 1024), reread: make(chan struct{}, 1),
	}
	a.health = newHealth(a)
	for _, setUp := range []func(context.Context) error{
		func(ctx context.Context) error { return a.startTelemetry(ctx, stdout) },
		a.openState, a.openJournal, a.openChannels, a.bringJournalUp, a.buildAlerts, a.buildPipeline, a.buildServer,
	} {
		if err := setUp(ctx); err != nil {
			return nil, errors.Join(err, a.life.stop(slog.New(slog.DiscardHandler)))
		}
	}
	return a, nil
}

// Addr is where the API listens.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

func (a *App) startTelemetry(ctx context.Context, stdout io.Writer) error {
	library, err := loadStandards(a.cfg)
	if err != nil {
		return err
	}
	a.standards = library
	for _, ch := range a.cfg.Channels() {
		if _, ok := library.Standard(ch.Standard); ch.Standard != "" && !ok {
			return fmt.Errorf("%s_STANDARD: there is no standard %q; those known are %v", strings.ToUpper(string(ch.Name)), ch.Standard, standardIDs(library))
		}
	}
	if err := a.cfg.CheckKinds(library.Kinds); err != nil {
		return err
	}
	kinds := map[upload.Channel][]upload.Kind{}
	for _, ch := range a.cfg.Channels() {
		kinds[ch.Name] = library.Kinds(ch.Name)
	}
	a.telemetry, err = telemetry.Start(ctx, telemetry.Options{
		Version: Version, Stdout: stdout, LogLevel: a.cfg.Level(), LogFormat: a.cfg.LogFormat, LogDir: a.cfg.LogDir, Kinds: kinds, Now: a.now,
	})
	if err != nil {
		return fmt.Errorf("start telemetry: %w", err)
	}
	a.life.onStop("telemetry", func(ctx context.Context) error {
		if err := a.telemetry.Shutdown(ctx); err != nil {
			a.log.Warn("some telemetry was lost at the end", slog.Any("error", err))
		}
		return nil
	})
	a.log = a.telemetry.Logger()
	return nil
}

func standardIDs(library *standard.Library) []string {
	var ids []string
	for _, s := range library.Standards() {
		ids = append(ids, s.ID)
	}
	return ids
}

// openState makes the state directory's parts.
func (a *App) openState(context.Context) error {
	spool := filepath.Join(a.cfg.StateDir, "spool")
	if err := os.MkdirAll(spool, 0o750); err != nil {
		return fmt.Errorf("STATE_DIR: %w", err)
	}
	var err error
	if a.state, err = durable.Open(a.cfg.StateDir, a.hooked()...); err != nil {
		return fmt.Errorf("open state directory: %w", err)
	}
	a.life.onStop("state directory", func(context.Context) error { return a.state.Close() })
	if a.spool, err = durable.Open(spool, a.hooked()...); err != nil {
		return fmt.Errorf("open spool: %w", err)
	}
	a.life.onStop("spool", func(context.Context) error { return a.spool.Close() })
	return nil
}

func (a *App) hooked(more ...durable.Option) []durable.Option {
	if a.seams.Files == nil {
		return more
	}
	return append(more, durable.WithHook(a.seams.Files))
}

func (a *App) openJournal(ctx context.Context) error {
	a.secrets = config.NewSecrets(a.cfg, a.log)
	if a.cfg.DatabaseURL.IsSet() {
		return a.openPostgres(ctx)
	}
	return a.openSQLite(ctx)
}

func (a *App) openChannels(ctx context.Context) error {
	for _, ch := range a.cfg.Channels() {
		l := &line{Channel: ch}
		var err error
		if l.client, err = newClient(a.cfg, ch, a.secrets, a.telemetry.Observer(), a.now); err != nil {
			return err
		}
		a.life.onStop("connections of "+string(ch.Name), func(context.Context) error { l.client.Close(); return nil })
		if l.dir, err = durable.Open(ch.WatchDir, a.hooked(durable.WithLazy())...); err != nil {
			return fmt.Errorf("open watched directory of channel %s: %w", ch.Name, err)
		}
		a.life.onStop("watched directory of "+string(ch.Name), func(context.Context) error { return l.dir.Close() })
		l.gate = a.newGate(ch.Name)
		l.blocks = newBlocks(l.gate.Block)
		if err := a.throughOutages(l.gate.Load)(ctx); err != nil {
			return fmt.Errorf("read the standing of channel %s: %w", ch.Name, err)
		}
		l.watcher = watch.New(watch.Options{
			Channel: ch.Name, Dir: watch.From(l.dir), Ledger: ledger{a}, Rescan: a.cfg.RescanInterval, Logger: a.log, Now: a.now,
			Kinds: func(name string) (upload.Kind, bool) { return a.standards.Kind(ch.Name, name) },
			Began: a.began,
			Nudge: a.nudged,
		})
		a.lines[ch.Name] = l
	}
	return nil
}

func (a *App) newGate(ch upload.Channel) *channel.Gate {
	return channel.New(channel.Options{
		Channel: ch, Store: gateStore{a.journal}, Shared: a.journal.Shared(), Turn: a.turnOf(ch), CredentialHash: credentials{a.secrets, ch}.hash,
		RefusedRetry: a.cfg.RefusedRetry, RefusedPerDay: a.cfg.RefusedPerDay, Location: time.Local,
		Reopened: a.reopened, Refused: a.refused, Logger: a.log, Now: a.journal.Now,
	})
}

func (a *App) buildPipeline(ctx context.Context) error {
	a.chooser = a.newChooser(ctx)
	a.stages = a.newStages()
	var names []upload.Channel
	for _, l := range a.ordered() {
		names = append(names, l.Name)
	}
	host, _ := os.Hostname()
	a.pipeline = pipeline.New(pipeline.Options{
		Journal: a.journal, Stages: a.stages.list(), Channels: names, Concurrency: a.cfg.Concurrency,
		Owner:   fmt.Sprintf("%s/%d/%s", host, os.Getpid(), upload.NewUUID(a.now())[24:]),
		Backoff: upload.Backoff{Min: a.cfg.RetryMin, Max: a.cfg.RetryMax},
		Lease:   a.seams.Lease, Now: a.journal.Now, Moment: a.journal.Moment,
		Observer: a.telemetry.Observer(), Logger: a.log,
		Recorded: a.recorded, Faulted: a.faulted, Urgent: a.urgent,
	})
	return nil
}

// refused has secrets in files read again.
func (a *App) refused() {
	select {
	case a.reread <- struct{}{}:
	default: // they are about to be
	}
}

// recorded follows every outcome.
func (a *App) recorded(stage string, before, after upload.Upload) {
	l := a.lines[after.Channel]
	a.moved.Add(1)
	switch {
	case stage == "transmit":
		if bytes, took := a.sending.forget(after.ID); after.State == upload.StateSent && after.Ticket.Fate == upload.Answered {
			a.chooser.Sent(after.Channel, bytes, took)
		}
	case stage == "confirm" && after.State == upload.StateDecided:
		a.decided.note(after)
	}
	if before.State != after.State {
		l.blocks.worked(stage)
	}
	if unread(before.State) && !unread(after.State) {
		select {
		case a.compare <- after.BatchID:
		default: // so many at once: their links are not compared
		}
	}
	if after.State.Final() || after.State == upload.StateFailed {
		l.watcher.Released(after.Filename)
	}
}

// faulted follows every fault.
func (a *App) faulted(stage string, u upload.Upload, f *upload.Fault) {
	a.sending.forget(u.ID)
	a.lines[u.Channel].blocks.faulted(stage, u, f)
}

func (a *App) buildServer(ctx context.Context) error {
	if a.calendar = a.newCalendar(); a.calendar != nil {
		a.dueWithin = a.calendar.Urgent
	}
	o := httpapi.Options{
		Version: Version, StartedAt: a.health.started,
		Journal: a.journal, Feed: a.journal, Operator: operator{a}, Trigger: trigger{a}, Channels: shown{a}, Health: a.health, Reports: a.journal, Calendar: a.reports(), Rebuilt: a.rebuiltAt, Pace: a.pace,
		Logs: a.recentLines, Settings: a.settings,
		Progress: a.sending, Metrics: a.telemetry.MetricsHandler(), Tokens: tokens{a.secrets}, Preview: previews{a}, Alerts: told{a}, Wrap: a.telemetry.Handler, Logger: a.log, Now: a.now,
		EventPoll: a.untold(2 * time.Second),
	}
	if a.cfg.TLSCertFile != "" {
		o.TLS = &httpapi.TLSFiles{Cert: a.cfg.TLSCertFile, Key: a.cfg.TLSKeyFile, ClientCA: a.cfg.TLSClientCAFile}
	}
	var err error
	if a.server, err = httpapi.New(o); err != nil {
		return fmt.Errorf("build api: %w", err)
	}
	var lc net.ListenConfig
	if a.listener, err = lc.Listen(ctx, "tcp", a.cfg.ListenAddr); err != nil {
		return fmt.Errorf("listen on LISTEN_ADDR: %w", err)
	}
	a.life.onStop("listener", func(context.Context) error { _ = a.listener.Close(); return nil }) // mostly closed by the server
	a.telemetry.Observe(shown{a})
	return a.telemetry.ObserveSurroundings(a.surroundings)
}

// tokens are the API's.
type tokens struct{ s *config.Secrets }

// Operator implements httpapi.Tokens.
func (t tokens) Operator() string { operator, _ := t.s.Tokens(); return operator }

// Viewer implements httpapi.Tokens.
func (t tokens) Viewer() string { _, viewer := t.s.Tokens(); return viewer }

// ordered lists the channels in the order of the settings.
func (a *App) ordered() []*line {
	var all []*line
	for _, ch := range a.cfg.Channels() {
		if l, ok := a.lines[ch.Name]; ok {
			all = append(all, l)
		}
	}
	return all
}

// Run works until ctx ends and then stops in order: intake first, running work
// next, then the API, and last what everybody records to.
func (a *App) Run(ctx context.Context) error {
	a.greet()
	a.forbidden.look(a.cfg, a.log)
	if _, err := a.stages.pack.Sweep(ctx, a.livePacked(ctx)); err != nil {
		a.log.Warn("spool was not swept of orphans", slog.Any("error", err))
	}
	a.wakeWaiting(ctx)
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	defer stopBackground()

	var upkeep, intake, work, api sync.WaitGroup
	a.runUpkeep(background, &upkeep)
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	for _, l := range a.ordered() {
		intake.Go(func() {
			if err := l.watcher.Run(watching); err != nil {
				a.log.Error("watcher ended", slog.String("channel", string(l.Name)), slog.Any("error", err))
			}
		})
	}
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	work.Go(func() { a.pipeline.Run(working) })
	failed := make(chan error, 1)
	api.Go(func() {
		if err := a.server.Run(serving, a.listener); err != nil {
			failed <- err
		}
	})

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed: // without the API nobody could see us work
	case <-a.beyondRepair(background):
		err = errDamaged
	}
	a.health.leaving.Store(true)
	a.log.Info("stopping")
	stopWatching()
	intake.Wait()
	stopWorking()
	work.Wait()
	stopServing()
	api.Wait()
	stopBackground()
	upkeep.Wait()
	a.log.Info("stopped")
	return errors.Join(err, a.life.stop(a.log))
}

// greet says how the program is set up.
func (a *App) greet() {
	for _, w := range a.cfg.Warnings() {
		a.log.Warn("setting is probably not meant so", slog.String("variable", w.Variable), slog.String("what", w.Error()))
	}
	for _, l := range a.ordered() {
		a.log.Info("channel is on", slog.String("channel", string(l.Name)), slog.String("watch_dir", l.WatchDir),
			slog.String("server_url", l.ServerURL.String()), slog.String("protocol", l.Protocol), slog.String("settle", a.cfg.Settle))
	}
	a.log.Info("started", slog.String("version", Version), slog.String("listen", a.listener.Addr().String()), slog.String("state_dir", a.cfg.StateDir))
}
