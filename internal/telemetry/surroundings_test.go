package telemetry

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

func TestSurroundingsAreScraped(t *testing.T) {
	t.Parallel()
	tel, err := Start(t.Context(), Options{Stdout: io.Discard})
	must(t, err)
	defer tel.Shutdown(context.Background())
	seen := Surroundings{DiskFree: 4096, Certificates: []Certificate{{Variable: "HQMS_CA_FILE", NotAfter: time.Unix(1800000000, 0)}}}
	must(t, tel.ObserveSurroundings(func() Surroundings { return seen }))
	page := scrape(t, tel)
	for _, want := range []string{"hqms_disk_free_bytes 4096", `hqms_certificate_not_after_timestamp_seconds{variable="HQMS_CA_FILE"} 1.8e+09`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	seen = Surroundings{DiskFree: -1}
	if page := scrape(t, tel); strings.Contains(page, metricDiskFree+" ") || strings.Contains(page, metricCertificate+"{") {
		t.Errorf("what is not known is shown:\n%s", page)
	}
}
