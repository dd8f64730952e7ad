package telemetry

import (
	"context"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// oneStage is what a stage with one request costs.
func oneStage(tb testing.TB, o *Observer, u upload.Upload) {
	tb.Helper()
	after := u
	u.State, after.State = upload.StatePacked, upload.StateSent
	ctx, ended := o.StageBegan(tb.Context(), u, "transmit")
	_, answered := o.RequestSpan(ctx, "upload", "server")
	answered(200, nil)
	ended(after, upload.Outcome{}, nil)
}

// Not parallel: allocations are counted for the whole process.
func TestAStageCostsLittleWhereNobodyWantsSpans(t *testing.T) { //nolint:paralleltest // see above
	p := begin(t, noon)
	defer p.Shutdown(context.Background())
	o, u := p.Observer(), anUpload()
	if pieces := testing.AllocsPerRun(100, func() { oneStage(t, o, u) }); pieces > 25 {
		t.Errorf("%.0f pieces of memory", pieces)
	}
}

func BenchmarkStage(b *testing.B) {
	tel, err := Start(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer tel.Shutdown(context.Background())
	b.ReportAllocs()
	u := anUpload()
	for b.Loop() {
		oneStage(b, tel.Observer(), u)
	}
}
