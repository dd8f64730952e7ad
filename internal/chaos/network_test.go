package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

// network is the line between sidecar and server, with a proxy in it that cuts.
type network struct {
	t     *testing.T
	addr  string
	proxy *toxiproxy.Proxy
}

func newNetwork(t *testing.T, server string) *network {
	t.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxics log by a logger of their own
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	n := &network{t: t, addr: freeAddr(t)}
	n.proxy = toxiproxy.NewProxy(api, "line", n.addr, server)
	if err := n.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.proxy.Stop)
	return n
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// mend makes the line good again.
func (n *network) mend() {
	n.proxy.Toxics.ResetToxics(context.Background())
	if err := n.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		n.t.Errorf("mend the line: %v", err)
	}
}

// poison puts a toxic on the line for a while.
func (n *network) poison(ctx context.Context, d time.Duration, kind, stream string, attributes map[string]any) {
	body, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "toxicity": 0.7, "attributes": attributes})
	if err == nil {
		_, err = n.proxy.Toxics.AddToxicJson(bytes.NewReader(body))
	}
	if err != nil {
		n.t.Errorf("toxic %s: %v", kind, err)
	}
	wait(ctx, d)
	n.proxy.Toxics.ResetToxics(context.Background())
}

// networkMoves break the line, and make the server answer falsely.
func (r *run) networkMoves() []move {
	hold := upTo(200*time.Millisecond, 2*time.Second)
	toxic := func(kind, stream string, attributes func(*rand.Rand) map[string]any) move {
		return move{"line: " + kind + " " + stream, 2, func(ctx context.Context, rng *rand.Rand) {
			r.network.poison(ctx, hold(rng), kind, stream, attributes(rng))
		}}
	}
	moves := []move{
		{"line: refused", 4, func(ctx context.Context, rng *rand.Rand) {
			d := hold(rng)
			r.network.proxy.Stop()
			wait(ctx, d)
			if err := r.network.proxy.Start(); err != nil {
				r.t.Errorf("mend the line: %v", err)
			}
		}},
		toxic("reset_peer", "upstream", func(rng *rand.Rand) map[string]any { return map[string]any{"timeout": rng.IntN(30)} }),
		toxic("reset_peer", "downstream", func(rng *rand.Rand) map[string]any { return map[string]any{"timeout": rng.IntN(30)} }),
		toxic("limit_data", "upstream", func(rng *rand.Rand) map[string]any { return map[string]any{"bytes": 300 + rng.IntN(3000)} }),
		toxic("limit_data", "downstream", func(rng *rand.Rand) map[string]any { return map[string]any{"bytes": rng.IntN(500)} }),
		toxic("latency", "downstream", func(rng *rand.Rand) map[string]any { return map[string]any{"latency": rng.IntN(500), "jitter": 100} }),
		toxic("bandwidth", "upstream", func(rng *rand.Rand) map[string]any { return map[string]any{"rate": 4 + rng.IntN(20)} }),
		toxic("slicer", "upstream", func(rng *rand.Rand) map[string]any {
			return map[string]any{"average_size": 200, "size_variation": 100, "delay": 100 + rng.IntN(2000)}
		}),
		toxic("timeout", "downstream", func(rng *rand.Rand) map[string]any { return map[string]any{"timeout": 200 + rng.IntN(500)} }),
	}
	for _, f := range serverFaults() {
		name := "server: " + string(f.Step) + " " + string(f.Kind)
		if f.Code != 0 {
			name += fmt.Sprint(" ", f.Code)
		}
		moves = append(moves, move{name, 1, func(_ context.Context, rng *rand.Rand) {
			f.Count = 1 + rng.IntN(4)
			r.server.fault(f)
		}})
	}
	return moves
}

// serverFaults are those of the sandbox that do not lie about a file: after
// none of them may anything but the right verdict come out.
func serverFaults() []sandbox.Fault {
	var all []sandbox.Fault
	for _, step := range []sandbox.StepName{sandbox.StepToken, sandbox.StepUpload, sandbox.StepResult} {
		for _, f := range []sandbox.Fault{
			{Kind: sandbox.FaultStatus, Code: 500, Processed: true},
			{Kind: sandbox.FaultStatus, Code: 503, RetryAfter: sandbox.Duration(time.Second)},
			{Kind: sandbox.FaultStatus, Code: 429},
			{Kind: sandbox.FaultLost},
			{Kind: sandbox.FaultReset},
			{Kind: sandbox.FaultHTML},
			{Kind: sandbox.FaultTruncated},
			{Kind: sandbox.FaultText},
			{Kind: sandbox.FaultHang, Delay: sandbox.Duration(2 * time.Second)},
			{Kind: sandbox.FaultCutAnswer, Bytes: 20},
		} {
			f.Step = step
			all = append(all, f)
		}
	}
	return append(all, sandbox.Fault{Step: sandbox.StepUpload, Kind: sandbox.FaultCut, Bytes: 500})
}
