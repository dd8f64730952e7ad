package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	otelmetric "go.opentelemetry.io/otel/metric"
)

const (
	metricDiskFree    = "hqms_disk_free_bytes"
	metricCertificate = "hqms_certificate_not_after_timestamp_seconds"
)

// Surroundings is what the program depends on and does not make itself.
type Surroundings struct {
	DiskFree     int64         // bytes left to us where STATE_DIR lies; negative: not known
	Certificates []Certificate // those that could be read
}

// Certificate says until when a configured certificate file holds, or the
// certificate of a configured server.
type Certificate struct {
	Variable string // that names the file or the server
	NotAfter time.Time
}

// ObserveSurroundings shows what look gives, asked at each scrape; it should
// be quick and is called from the scrape's goroutine.
func (t *Telemetry) ObserveSurroundings(look func() Surroundings) error {
	meter := t.meters.Meter(scope)
	var errs [3]error
	free, err := meter.Int64ObservableGauge(metricDiskFree, otelmetric.WithUnit("By"),
		otelmetric.WithDescription("Bytes left where the state directory lies."))
	errs[0] = err
	until, err := meter.Float64ObservableGauge(metricCertificate, otelmetric.WithUnit("s"),
		otelmetric.WithDescription("When the certificate that a variable names runs out, in seconds since 1970."))
	errs[1] = err
	_, errs[2] = meter.RegisterCallback(func(_ context.Context, o otelmetric.Observer) error {
		seen := look()
		if seen.DiskFree >= 0 {
			o.ObserveInt64(free, seen.DiskFree)
		}
		for _, c := range seen.Certificates {
			o.ObserveFloat64(until, float64(c.NotAfter.Unix()), labels("variable", c.Variable))
		}
		return nil
	}, free, until)
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("metrics of the surroundings: %w", err)
	}
	return nil
}
