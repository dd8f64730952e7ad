package e2e

import (
	"slices"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

func TestTraceOfAnUploadIsWholeOverAKill(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	srv := newServer(t, "-fault", "upload:status,code=503,count=1")
	srv.call("POST", "pause", nil, nil)
	r := newRig(t, srv, c.env()...)
	r.start()
	drop(t, r.flu, "flu_1.csv", good(t))
	u := r.until("flu_1.csv", "is sent", func(u row) bool { return u.State == "sent" })
	eventually(t, "what was done so far is exported", func() bool { return slices.Contains(names(c.trace(u.TraceID)), "transmit") })
	r.proc.Kill()
	r.start()
	srv.call("POST", "resume", nil, nil)
	r.endsWith("flu_1.csv", "accepted")
	check(t, r.proc.Terminate())
	eventually(t, "the root is exported", func() bool { return slices.Contains(names(c.trace(u.TraceID)), "upload") })

	spans := c.trace(u.TraceID)
	t.Logf("trace %s\n%s", u.TraceID, drawn(spans))
	byID := map[string]*tracepb.Span{}
	for _, s := range spans {
		byID[string(s.GetSpanId())] = s
	}
	counts := map[string]int{}
	for _, s := range spans {
		parent := ""
		if p := byID[string(s.GetParentSpanId())]; p != nil {
			parent = p.GetName()
		} else if len(s.GetParentSpanId()) > 0 {
			t.Errorf("the parent of %s is not in the trace", s.GetName())
		}
		counts[parent+" > "+s.GetName()]++
	}
	for _, want := range []string{
		" > upload", "upload > settle", "upload > validate", "upload > pack", "upload > transmit", "upload > confirm", "upload > retire",
		"transmit > gettoken", "transmit > upload", "confirm > result",
	} {
		if counts[want] == 0 {
			t.Errorf("no span %q", want)
		}
	}
	if counts[" > upload"] != 1 || counts["upload > retire"] != 1 {
		t.Errorf("spans %v", counts)
	}
	if arrivals := srv.report().Items; len(arrivals) != 1 || len(arrivals[0].Header["Traceparent"]) < 35 || arrivals[0].Header["Traceparent"][3:35] != u.TraceID {
		t.Errorf("the server was not told the trace: %+v", arrivals)
	}
}

func names(spans []*tracepb.Span) []string {
	var all []string
	for _, s := range spans {
		all = append(all, s.GetName())
	}
	return all
}

func TestADeadCollectorHoldsUpNothing(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	env := c.env()
	c.Close()
	srv := newServer(t)
	r := newRig(t, srv, env...)
	r.start()
	digest := drop(t, r.flu, "flu_1.csv", good(t))
	r.endsWith("flu_1.csv", "accepted")
	srv.mustHave(digest, 1, 1)
	if err := r.proc.Terminate(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}
