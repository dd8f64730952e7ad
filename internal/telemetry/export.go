package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// wanted reports whether the environment asks for an exporter of the signal
// (TRACES, METRICS, LOGS). The libraries' own default is a collector on
// localhost; here silence means none.
func wanted(signal string) bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if name := os.Getenv("OTEL_" + signal + "_EXPORTER"); name != "" {
		return name != "none"
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

func spanExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	if !wanted("TRACES") {
		return nil, nil //nolint:nilnil // none is wanted
	}
	e, err := autoexport.NewSpanExporter(ctx)
	return e, exporterError("traces", err)
}

func logExporter(ctx context.Context) (sdklog.Exporter, error) {
	if !wanted("LOGS") {
		return nil, nil //nolint:nilnil // none is wanted
	}
	e, err := autoexport.NewLogExporter(ctx)
	return e, exporterError("logs", err)
}

func metricReader(ctx context.Context) (metric.Reader, error) {
	if !wanted("METRICS") {
		return nil, nil //nolint:nilnil // none is wanted
	}
	r, err := autoexport.NewMetricReader(ctx)
	return r, exporterError("metrics", err)
}

func exporterError(signal string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("exporter of %s, see the OTEL_ variables: %w", signal, withoutURL(err))
}

// complaints receives what the exporters fail at, and lets one line a minute
// through to the local log (never to the collector: it is the one that fails).
type complaints struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	next    time.Time
	skipped int
}

func newComplaints(log *slog.Logger, now func() time.Time) *complaints {
	return &complaints{log: log, now: now}
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	now := c.now()
	if now.Before(c.next) {
		c.skipped++
		c.mu.Unlock()
		return
	}
	skipped := c.skipped
	c.skipped, c.next = 0, now.Add(time.Minute)
	c.mu.Unlock()
	c.log.Warn("telemetry cannot be exported; the work goes on", slog.Any("error", withoutURL(err)), slog.Int("unreported", skipped))
}

// withoutURL takes the address off an error of net/http: it may hold a
// collector's credentials.
func withoutURL(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s: %w", strings.ToLower(ue.Op), ue.Err)
	}
	return err
}
