package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// scope names our instrumentation.
const scope = "github.com/hqms-sidecar/hqms-sidecar"

// shutdownBudget is what a dead collector may cost at the end, in all.
const shutdownBudget = 2 * time.Second

// Options configure Start. The OTEL_* variables are read from the environment
// by the libraries that define them.
type Options struct {
	Version  string
	Instance string // service.instance.id; empty: the host's name

	Stdout    io.Writer // nil: os.Stdout
	LogLevel  slog.Leveler
	LogFormat string // "json" (default) or "text"
	LogDir    string // empty: no log files

	// Kinds lists the kinds of each channel that is on, so that their counters
	// exist from the start.
	Kinds map[upload.Channel][]upload.Kind

	Now func() time.Time
}

// Telemetry is the running telemetry. Make it with Start, end it with Shutdown.
type Telemetry struct {
	logger   *slog.Logger
	metrics  *metrics
	observer *Observer
	tracers  *sdktrace.TracerProvider
	meters   *metric.MeterProvider
	gatherer prometheus.Gatherer
	silent   bool // nobody wants the spans
	endings  []func(context.Context) error
	files    *dailyFile
	recent   *Recent
}

// Start sets the telemetry up. It fails only for wrong OTEL_* settings (an
// exporter that does not exist); an unreachable collector is no failure.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	o = o.withDefaults()
	t := &Telemetry{recent: &Recent{}}
	local := t.localLogs(o)
	plain := slog.New(local)
	otel.SetErrorHandler(newComplaints(plain, o.Now))
	res, err := describe(ctx, o)
	if err != nil {
		plain.Warn("telemetry resource is incomplete", slog.Any("error", err))
	}
	if err := t.startLogs(ctx, o, res, local); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	if err := t.startTraces(ctx, res); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	if err := t.startMetrics(ctx, o, res); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	t.observer = &Observer{tracer: t.tracers.Tracer(scope), metrics: t.metrics, now: o.Now, silent: t.silent}
	return t, nil
}

func (o Options) withDefaults() Options {
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.LogLevel == nil {
		o.LogLevel = slog.LevelInfo
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Instance == "" {
		o.Instance, _ = os.Hostname()
	}
	return o
}

// Logger is the program's logger.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Recent holds the latest lines of the log.
func (t *Telemetry) Recent() *Recent { return t.recent }

// Observer traces and measures the stages.
func (t *Telemetry) Observer() *Observer { return t.observer }

// Shutdown sends what is still queued and ends everything, within two seconds
// in all whatever the collector does, also when ctx has ended already. The
// error says what was lost.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownBudget)
	defer cancel()
	results := make(chan error, len(t.endings))
	for _, end := range t.endings {
		go func() { results <- end(ctx) }()
	}
	var all []error
	for range t.endings {
		select {
		case err := <-results:
			all = append(all, err)
		case <-ctx.Done(): // an exporter that does not listen to its context
			all = append(all, ctx.Err())
		}
	}
	t.endings = nil
	if t.files != nil {
		all = append(all, t.files.Close())
	}
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("end telemetry: %w", withoutURL(err))
	}
	return nil
}

// describe is the resource: who is speaking. OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES go before our own words.
func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			attribute.String("service.name", "hqms-sidecar"),
			attribute.String("service.version", o.Version),
			attribute.String("service.instance.id", o.Instance),
		),
		resource.WithFromEnv(),
	)
}

// localLogs makes the handlers that need nobody else: standard output, files.
func (t *Telemetry) localLogs(o Options) slog.Handler {
	stdout := withTrace(formatted(o.Stdout, o))
	recent := withTrace(formatted(t.recent, Options{LogLevel: o.LogLevel, LogFormat: "json"}))
	if o.LogDir == "" {
		return slog.NewMultiHandler(stdout, recent)
	}
	t.files = &dailyFile{dir: o.LogDir, now: o.Now, keep: 30, complain: func(err error) {
		if err != nil {
			slog.New(stdout).Warn("log file cannot be written", slog.Any("error", err))
			return
		}
		slog.New(stdout).Info("log file can be written again")
	}}
	return slog.NewMultiHandler(stdout, recent, withTrace(formatted(t.files, o)))
}

func (t *Telemetry) startLogs(ctx context.Context, o Options, res *resource.Resource, local slog.Handler) error {
	t.logger = slog.New(local)
	exporter, err := logExporter(ctx)
	if err != nil || exporter == nil {
		return err
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	t.endings = append(t.endings, provider.Shutdown)
	remote := atLeast{otelslog.NewHandler(scope, otelslog.WithLoggerProvider(provider)), o.LogLevel}
	t.logger = slog.New(slog.NewMultiHandler(local, remote))
	return nil
}

func (t *Telemetry) startTraces(ctx context.Context, res *resource.Resource) error {
	exporter, err := spanExporter(ctx)
	if err != nil {
		return err
	}
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res), sdktrace.WithIDGenerator(ids{})}
	if t.silent = exporter == nil; t.silent { // ids are still made and passed on to the server
		opts = append(opts, sdktrace.WithSampler(sdktrace.NeverSample()))
	} else {
		opts = append(opts, sdktrace.WithBatcher(exporter))
	}
	t.tracers = sdktrace.NewTracerProvider(opts...)
	t.endings = append(t.endings, t.tracers.Shutdown)
	return nil
}

// Handler wraps the API's handler: a span and the standard server metrics for
// each request. The wrapped handler names the route by setting Pattern of the
// request it is given ("/uploads/:id"); probes and scrapes leave no span.
func (t *Telemetry) Handler(next http.Handler) http.Handler { return t.serve(next) }
