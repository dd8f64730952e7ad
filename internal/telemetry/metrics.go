package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	otelmetric "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// The metrics. Their names are a contract with dashboards and alerts: the
// instruments are named as they are scraped, so that a collector sees the same.
const (
	metricUploads      = "hqms_uploads_total"
	metricStage        = "hqms_stage_duration_seconds"
	metricFiles        = "hqms_backlog_files"
	metricBytes        = "hqms_backlog_bytes"
	metricOldest       = "hqms_oldest_pending_seconds"
	metricLastAccepted = "hqms_last_accepted_timestamp_seconds"
	metricChannelState = "hqms_channel_state"
	metricMissing      = "hqms_expected_missing"

	metricAlertsOpen      = "hqms_alerts_open"
	metricAlertDeliveries = "hqms_alert_deliveries_total"
)

// Snapshot is how things stand: what the gauges show.
type Snapshot struct {
	At           time.Time // by the clock that its times are of; zero: the program's own
	Backlog      []Backlog
	LastAccepted []LastAccepted
	Channels     []ChannelState
	Missing      []Missing
	Alerts       []Alerts
}

// Backlog is what waits in one state of one channel.
type Backlog struct {
	Channel upload.Channel
	State   upload.State
	Files   int64
	Bytes   int64     // of the sources
	Oldest  time.Time // when the oldest was spotted; zero if there is none
}

// LastAccepted is when a channel's server last accepted a file of a kind.
type LastAccepted struct {
	Channel upload.Channel
	Kind    upload.Kind
	At      time.Time
}

// ChannelState is the state a channel is in, and those it could be in.
type ChannelState struct {
	Channel upload.Channel
	State   string
	States  []string
}

// Missing says whether the latest expected file of a kind has not arrived by its
// deadline.
type Missing struct {
	Channel upload.Channel
	Kind    upload.Kind
	Missing bool
}

// Alerts counts the alerts of an event that are not resolved.
type Alerts struct {
	Event, Severity string
	Open            int64
}

// AlertSent counts an attempt to send a message about an alert: delivered, failed.
func (t *Telemetry) AlertSent(result string) {
	t.metrics.sent.Add(context.Background(), 1, labels("result", result))
}

// Source gives the snapshot that is shown at a scrape. It should be quick; an
// error leaves the gauges out.
type Source interface {
	Snapshot(ctx context.Context) (Snapshot, error)
}

// SourceFunc makes a Source of a function.
type SourceFunc func(ctx context.Context) (Snapshot, error)

// Snapshot implements Source.
func (f SourceFunc) Snapshot(ctx context.Context) (Snapshot, error) { return f(ctx) }

type metrics struct {
	uploads otelmetric.Int64Counter
	stages  otelmetric.Float64Histogram
	sent    otelmetric.Int64Counter // messages of alerts
	gauges  gauges
	source  atomic.Pointer[Source]
	now     func() time.Time
}

type gauges struct {
	files, bytes, state, missing, alerts otelmetric.Int64ObservableGauge
	oldest, lastAccepted                 otelmetric.Float64ObservableGauge
}

// MetricsHandler answers scrapes.
func (t *Telemetry) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(t.gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, Timeout: 10 * time.Second})
}

// Observe names the source of the gauges; without one they are not shown.
func (t *Telemetry) Observe(s Source) { t.metrics.source.Store(&s) }

func (t *Telemetry) startMetrics(ctx context.Context, o Options, res *resource.Resource) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	scraped, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo(),
		otelprom.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
	if err != nil {
		return fmt.Errorf("metrics for scraping: %w", err)
	}
	opts := []metric.Option{metric.WithResource(res), metric.WithReader(scraped)}
	reader, err := metricReader(ctx)
	if err != nil {
		return err
	}
	if reader != nil {
		opts = append(opts, metric.WithReader(reader))
	}
	t.gatherer, t.meters = registry, metric.NewMeterProvider(opts...)
	t.endings = append(t.endings, t.meters.Shutdown)
	if err := runtime.Start(runtime.WithMeterProvider(t.meters)); err != nil {
		return fmt.Errorf("runtime metrics: %w", err)
	}
	t.metrics, err = newMetrics(ctx, t.meters.Meter(scope), o)
	return err
}

func newMetrics(ctx context.Context, meter otelmetric.Meter, o Options) (*metrics, error) {
	m := &metrics{now: o.Now}
	var errs [11]error
	m.uploads, errs[0] = meter.Int64Counter(metricUploads, otelmetric.WithUnit("{upload}"),
		otelmetric.WithDescription("Uploads that got their verdict."))
	m.stages, errs[1] = meter.Float64Histogram(metricStage, otelmetric.WithUnit("s"),
		otelmetric.WithDescription("Time a stage worked on an upload before it moved on or failed."),
		otelmetric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600))
	m.gauges.files, errs[2] = meter.Int64ObservableGauge(metricFiles, otelmetric.WithUnit("{file}"),
		otelmetric.WithDescription("Files on their way, by what has been done for them."))
	m.gauges.bytes, errs[3] = meter.Int64ObservableGauge(metricBytes, otelmetric.WithUnit("By"),
		otelmetric.WithDescription("Bytes of the files on their way."))
	m.gauges.state, errs[4] = meter.Int64ObservableGauge(metricChannelState,
		otelmetric.WithDescription("1 for the state a channel is in, 0 for the others."))
	m.gauges.oldest, errs[5] = meter.Float64ObservableGauge(metricOldest, otelmetric.WithUnit("s"),
		otelmetric.WithDescription("Age of the oldest file on its way; 0 if there is none."))
	m.gauges.lastAccepted, errs[6] = meter.Float64ObservableGauge(metricLastAccepted, otelmetric.WithUnit("s"),
		otelmetric.WithDescription("When the server last accepted a file, in seconds since 1970."))
	m.gauges.missing, errs[7] = meter.Int64ObservableGauge(metricMissing, otelmetric.WithUnit("{file}"),
		otelmetric.WithDescription("1 where the file that was last due has not arrived."))
	m.sent, errs[8] = meter.Int64Counter(metricAlertDeliveries, otelmetric.WithUnit("{delivery}"),
		otelmetric.WithDescription("Attempts to send a message about an alert."))
	m.gauges.alerts, errs[9] = meter.Int64ObservableGauge(metricAlertsOpen, otelmetric.WithUnit("{alert}"),
		otelmetric.WithDescription("Alerts that are not resolved."))
	_, errs[10] = meter.RegisterCallback(m.observe, m.gauges.files, m.gauges.bytes, m.gauges.state, m.gauges.missing, m.gauges.oldest, m.gauges.lastAccepted, m.gauges.alerts)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	for _, result := range []string{"delivered", "failed"} {
		m.sent.Add(ctx, 0, labels("result", result))
	}
	for ch, kinds := range o.Kinds {
		for _, k := range kinds {
			for _, v := range upload.Verdicts() {
				m.uploads.Add(ctx, 0, labels("channel", string(ch), "kind", string(k), "verdict", string(v)))
			}
		}
	}
	return m, nil
}

func (m *metrics) verdict(ctx context.Context, u upload.Upload) {
	m.uploads.Add(ctx, 1, labels("channel", string(u.Channel), "kind", string(u.Kind), "verdict", string(u.Verdict)))
}

func (m *metrics) stage(ctx context.Context, name string, took time.Duration) {
	m.stages.Record(ctx, took.Seconds(), labels("stage", name))
}

// observe fills the gauges, one snapshot for all of them.
func (m *metrics) observe(ctx context.Context, o otelmetric.Observer) error {
	source := m.source.Load()
	if source == nil {
		return nil
	}
	snap, err := (*source).Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("backlog for metrics: %w", err)
	}
	m.observeBacklog(o, snap)
	for _, a := range snap.LastAccepted {
		o.ObserveFloat64(m.gauges.lastAccepted, float64(a.At.UnixMilli())/1000, labels("channel", string(a.Channel), "kind", string(a.Kind)))
	}
	for _, e := range snap.Missing {
		o.ObserveInt64(m.gauges.missing, truth(e.Missing), labels("channel", string(e.Channel), "kind", string(e.Kind)))
	}
	for _, a := range snap.Alerts {
		o.ObserveInt64(m.gauges.alerts, a.Open, labels("event", a.Event, "severity", a.Severity))
	}
	for _, c := range snap.Channels {
		for _, s := range c.States {
			o.ObserveInt64(m.gauges.state, truth(s == c.State), labels("channel", string(c.Channel), "state", s))
		}
	}
	return nil
}

// observeBacklog shows every state of every channel, zeros too: a gauge that
// comes and goes cannot be told from a broken one.
func (m *metrics) observeBacklog(o otelmetric.Observer, snap Snapshot) {
	type key struct {
		ch upload.Channel
		s  upload.State
	}
	files, oldest, bytes := map[key]int64{}, map[upload.Channel]time.Time{}, int64(0)
	for _, c := range snap.Channels {
		oldest[c.Channel] = time.Time{}
		for _, s := range append(upload.OpenStates(), upload.StateFailed) {
			files[key{c.Channel, s}] = 0
		}
	}
	for _, b := range snap.Backlog {
		files[key{b.Channel, b.State}] += b.Files
		bytes += b.Bytes
		if first := oldest[b.Channel]; !b.Oldest.IsZero() && (first.IsZero() || b.Oldest.Before(first)) {
			oldest[b.Channel] = b.Oldest
		}
	}
	for k, n := range files {
		o.ObserveInt64(m.gauges.files, n, labels("channel", string(k.ch), "state", string(k.s)))
	}
	now := snap.At
	if now.IsZero() {
		now = m.now()
	}
	for ch, since := range oldest {
		age := 0.0
		if !since.IsZero() {
			age = max(0, now.Sub(since).Seconds())
		}
		o.ObserveFloat64(m.gauges.oldest, age, labels("channel", string(ch)))
	}
	o.ObserveInt64(m.gauges.bytes, bytes)
}

func labels(pairs ...string) otelmetric.MeasurementOption {
	set := make([]attribute.KeyValue, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		set = append(set, attribute.String(pairs[i], pairs[i+1]))
	}
	return otelmetric.WithAttributeSet(attribute.NewSet(set...))
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
