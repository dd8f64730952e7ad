package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Step is one step of the test.
type Step string

// The steps, in order.
const (
	DNS         Step = "dns"         // the host's name has an address
	TCP         Step = "tcp"         // its port takes a connection
	TLS         Step = "tls"         // the server's certificate is good, and it answers
	HTTP        Step = "http"        // in place of TLS where the address is http: it answers, unencrypted
	Clock       Step = "clock"       // its clock and ours agree
	Credentials Step = "credentials" // it takes account and password
)

// Result is how a step ended.
type Result string

// The results.
const (
	Running Result = "running" // told when the step begins, never a step's end
	Passed  Result = "passed"
	Warned  Result = "warning"
	Failed  Result = "failed"
	Skipped Result = "skipped"
)

// maxSkew is how far the clocks may be apart: certificates and the server's own
// checks of dates begin to suffer beyond.
const maxSkew = 2 * time.Minute

// fewAddresses is how many of a name's addresses are told.
const fewAddresses = 4

// patience is how long name and port are waited for.
const patience = 10 * time.Second

// Check is the finding of one step. The remedy is in the phrase catalogue under
// the reason.
type Check struct {
	Step   Step
	Result Result
	Reason upload.Reason // empty when passed or skipped
	// Detail of a step that passed is in no language: names, addresses, times.
	Detail string
	Took   time.Duration
}

// Target is what is tested. A protocol provides it.
type Target struct {
	// ServerURL is where the server is, Proxy the proxy that leads there, if
	// any: then the first two steps are about the proxy.
	ServerURL *url.URL
	Proxy     *url.URL
	// Dial replaces the dialer; nil: the system's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Reach makes one harmless request and tells the server's clock minus ours;
	// known is false when it does not say.
	Reach func(ctx context.Context) (skew time.Duration, known bool, err error)
	// Login asks the server whether it takes the credentials.
	Login func(ctx context.Context) error
}

// Run makes the test. It always gives one check per step. tell, unless nil, hears
// of each step as it begins (Running) and as it ends, in order and from this
// goroutine; of those skipped it hears nothing.
func Run(ctx context.Context, t Target, tell func(Check)) []Check {
	if tell == nil {
		tell = func(Check) {}
	}
	var checks []Check
	failed := false
	for _, s := range stepsOf(ctx, t) {
		if failed {
			checks = append(checks, Check{Step: s.step, Result: Skipped})
			continue
		}
		tell(Check{Step: s.step, Result: Running})
		c := s.take()
		failed = c.Result == Failed
		tell(c)
		checks = append(checks, c)
	}
	return checks
}

// move is a step that can be taken.
type move struct {
	step Step
	run  func() (Result, string, error)
}

// stepsOf lists the steps to that target. Later ones use what earlier ones found.
func stepsOf(ctx context.Context, t Target) []move {
	var (
		skew  time.Duration
		known bool
		host  = t.ServerURL
		via   = ""
	)
	if t.Proxy != nil {
		host, via = t.Proxy, "proxy "
	}
	answers := TLS
	if t.ServerURL.Scheme == "http" {
		answers = HTTP
	}
	return []move{
		{DNS, func() (Result, string, error) { return lookUp(ctx, via, host.Hostname()) }},
		{TCP, func() (Result, string, error) { return connect(ctx, t, via, host) }},
		{answers, func() (_ Result, _ string, err error) {
			skew, known, err = t.Reach(ctx)
			return Passed, "", err
		}},
		{Clock, func() (Result, string, error) { return clocks(skew, known) }},
		{Credentials, func() (Result, string, error) { return Passed, "", t.Login(ctx) }},
	}
}

// take takes the step and tells how it ended.
func (m move) take() Check {
	began := time.Now()
	result, detail, err := m.run()
	c := Check{Step: m.step, Result: result, Detail: detail, Took: time.Since(began)}
	if err != nil {
		f := upload.AsFault(err)
		c.Result, c.Reason, c.Detail = Failed, f.Reason, f.Detail
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			c.Reason = upload.ServerTimeout
		}
	}
	if c.Result == Warned {
		c.Reason = upload.ClockSkew
	}
	return c
}

// OK reports whether no step failed.
func OK(checks []Check) bool {
	for _, c := range checks {
		if c.Result == Failed || c.Result == Skipped {
			return false
		}
	}
	return true
}

func lookUp(ctx context.Context, via, host string) (Result, string, error) {
	if net.ParseIP(host) != nil {
		return Passed, via + host, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return Failed, "", upload.PassingFault(upload.ServerUnreachable, via+"name lookup of "+host+" failed", nil)
	}
	return Passed, via + host + " → " + strings.Join(addrs[:min(len(addrs), fewAddresses)], ", "), nil
}

func connect(ctx context.Context, t Target, via string, u *url.URL) (Result, string, error) {
	dial := t.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	addr := net.JoinHostPort(u.Hostname(), port(u))
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return Failed, "", upload.PassingFault(upload.ServerUnreachable, "no connection to "+via+addr, nil)
	}
	_ = conn.Close() // it has served
	return Passed, via + addr, nil
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	case u.Scheme == "socks5" || u.Scheme == "socks5h":
		return "1080"
	default:
		return "443"
	}
}

func clocks(skew time.Duration, known bool) (Result, string, error) {
	switch {
	case !known:
		return Passed, "", nil // the server does not tell
	case skew.Abs() > maxSkew:
		return Warned, fmt.Sprintf("%+d s", int64(skew.Round(time.Second).Seconds())), nil
	default:
		return Passed, fmt.Sprintf("%+d s", int64(skew.Round(time.Second).Seconds())), nil
	}
}
