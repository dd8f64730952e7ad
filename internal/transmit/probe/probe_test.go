package probe_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hqms-sidecar/hqms-sidecar/internal/transmit/probe"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// target is one where all is well; dialled gets the addresses.
func target(dialled *[]string) probe.Target {
	return probe.Target{
		ServerURL: &url.URL{Scheme: "https", Host: "192.0.2.7"},
		Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			*dialled = append(*dialled, addr)
			a, b := net.Pipe()
			_ = b.Close()
			return a, nil
		},
		Reach: func(context.Context) (time.Duration, bool, error) { return time.Second, true, nil },
		Login: func(context.Context) error { return nil },
	}
}

func TestStepsEndAtTheFirstThatFails(t *testing.T) {
	t.Parallel()
	tlsFault := upload.PassingFault(upload.ServerTLS, "reach: the certificate has expired or is not yet valid", nil)
	for name, c := range map[string]struct {
		change  func(x *probe.Target)
		results []probe.Result
		reason  upload.Reason
	}{
		"all is well": {func(*probe.Target) {}, []probe.Result{"passed", "passed", "passed", "passed", "passed"}, ""},
		"no connection": {func(x *probe.Target) {
			x.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
		}, []probe.Result{"passed", "failed", "skipped", "skipped", "skipped"}, upload.ServerUnreachable},
		"a bad certificate": {func(x *probe.Target) {
			x.Reach = func(context.Context) (time.Duration, bool, error) { return 0, false, tlsFault }
		}, []probe.Result{"passed", "passed", "failed", "skipped", "skipped"}, upload.ServerTLS},
		"clocks apart": {func(x *probe.Target) {
			x.Reach = func(context.Context) (time.Duration, bool, error) { return -time.Hour, true, nil }
		}, []probe.Result{"passed", "passed", "passed", "warning", "passed"}, upload.ClockSkew},
		"a server without a clock": {func(x *probe.Target) {
			x.Reach = func(context.Context) (time.Duration, bool, error) { return 0, false, nil }
		}, []probe.Result{"passed", "passed", "passed", "passed", "passed"}, ""},
		"refused": {func(x *probe.Target) {
			x.Login = func(context.Context) error { return upload.RefusedFault("no") }
		}, []probe.Result{"passed", "passed", "passed", "passed", "failed"}, upload.CredentialsRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := target(new([]string))
			c.change(&x)
			var results []probe.Result
			var reason upload.Reason
			checks := probe.Run(t.Context(), x, nil)
			for _, k := range checks {
				results = append(results, k.Result)
				if k.Reason != "" {
					reason = k.Reason
				}
			}
			if diff := cmp.Diff(c.results, results); diff != "" || reason != c.reason {
				t.Errorf("%s%s", diff, reason)
			}
			if probe.OK(checks) != (c.reason == "" || c.reason == upload.ClockSkew) {
				t.Error("OK says otherwise")
			}
		})
	}
}

func TestProxyIsTestedWhereThereIsOne(t *testing.T) {
	t.Parallel()
	var dialled []string
	x := target(&dialled)
	x.Proxy = &url.URL{Scheme: "http", User: url.UserPassword("u", "s3cr3t"), Host: "192.0.2.9:3128"}
	checks := probe.Run(t.Context(), x, nil)
	want := []probe.Check{
		{Step: probe.DNS, Result: probe.Passed, Detail: "proxy 192.0.2.9"},
		{Step: probe.TCP, Result: probe.Passed, Detail: "proxy 192.0.2.9:3128"},
		{Step: probe.TLS, Result: probe.Passed},
		{Step: probe.Clock, Result: probe.Passed, Detail: "+1 s"},
		{Step: probe.Credentials, Result: probe.Passed},
	}
	if diff := cmp.Diff(want, checks, cmpopts.IgnoreFields(probe.Check{}, "Took")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"192.0.2.9:3128"}, dialled); diff != "" {
		t.Error(diff)
	}
}

func TestEachStepIsToldAsItBeginsAndAsItEnds(t *testing.T) {
	t.Parallel()
	x := target(new([]string))
	var told []string
	x.Reach = func(context.Context) (time.Duration, bool, error) {
		if last := told[len(told)-1]; last != "tls running" {
			t.Errorf("while the server is asked, the last thing told is %q", last)
		}
		return 0, false, upload.PassingFault(upload.ServerTLS, "no", nil)
	}
	probe.Run(t.Context(), x, func(c probe.Check) { told = append(told, string(c.Step)+" "+string(c.Result)) })
	want := []string{"dns running", "dns passed", "tcp running", "tcp passed", "tls running", "tls failed"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

func TestAnUnencryptedAnswerIsNotCalledTLS(t *testing.T) {
	t.Parallel()
	x := target(new([]string))
	x.ServerURL.Scheme = "http"
	var steps []probe.Step
	for _, c := range probe.Run(t.Context(), x, nil) {
		steps = append(steps, c.Step)
	}
	if diff := cmp.Diff([]probe.Step{probe.DNS, probe.TCP, probe.HTTP, probe.Clock, probe.Credentials}, steps); diff != "" {
		t.Error(diff)
	}
}
