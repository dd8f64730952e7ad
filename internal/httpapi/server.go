package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/hqms-sidecar/hqms-sidecar/api"
)

// Options are what a Server is made of. All interfaces but Progress and Metrics
// must be given; zero durations and sizes take the defaults named.
type Options struct {
	Version   string
	StartedAt time.Time

	Journal  Journal
	Feed     Feed
	Operator Operator
	Trigger  Trigger
	Channels Channels
	Health   Health
	Progress Progress     // nil: nobody knows how far a sending has come
	Metrics  http.Handler // nil: /metrics answers 404
	Tokens   Tokens
	Preview  Preview
	Alerts   Alerts
	Reports  Reports
	// Calendar knows which files are expected; nil: none are.
	Calendar Calendar
	// Zone is whose days reports go by; nil: the program's.
	Zone *time.Location
	// Rebuilt is when the journal was last made anew, and what the damaged one is
	// called now; the zero time: never. nil: nobody knows.
	Rebuilt func(ctx context.Context) (at time.Time, damaged string)
	// Logs gives the latest lines of the log, the latest first, and whether there
	// are more; nil: there are none.
	Logs func(q LogQuery) (lines []LogLine, more bool)
	// Settings are the settings in effect; nil: nobody knows.
	Settings func() []Setting
	// Pace is when and how fast may be uploaded; nil: always, without limit.
	Pace func(now time.Time) Pace

	// Middleware runs outermost, first one first.
	Middleware []echo.MiddlewareFunc
	// Wrap goes around the whole API: telemetry. nil: nothing does.
	Wrap   func(http.Handler) http.Handler
	TLS    *TLSFiles // nil: plain HTTP
	Logger *slog.Logger
	Now    func() time.Time

	BodyLimit     int64         // bytes of a request's body: 1 MiB
	ReadTimeout   time.Duration // a whole request: 30 s
	WriteTimeout  time.Duration // a whole answer, event streams excepted: 2 min
	IdleTimeout   time.Duration // a connection between requests: 2 min
	ShutdownGrace time.Duration // for running calls when the server stops: 5 s
	EventBeat     time.Duration // between comments on a quiet event stream: 15 s
	EventPoll     time.Duration // between looks for events nobody told of: 2 s
	EventStall    time.Duration // for a client to take what it was sent: 10 s
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	set(&o.ReadTimeout, 30*time.Second)
	set(&o.WriteTimeout, 2*time.Minute)
	set(&o.IdleTimeout, 2*time.Minute)
	set(&o.ShutdownGrace, 5*time.Second)
	set(&o.EventBeat, 15*time.Second)
	set(&o.EventPoll, 2*time.Second)
	set(&o.EventStall, 10*time.Second)
	if o.BodyLimit == 0 {
		o.BodyLimit = 1 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server serves the API.
type Server struct {
	options    Options
	operations operations
	echo       *echo.Echo
	streams    *streams
	certs      *certificates // nil: plain HTTP
}

// New makes a server. It fails if an interface is missing or the TLS files
// cannot be used.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if o.Journal == nil || o.Feed == nil || o.Operator == nil || o.Trigger == nil || o.Channels == nil || o.Health == nil || o.Tokens == nil || o.Preview == nil || o.Reports == nil || o.Alerts == nil {
		return nil, errors.New("httpapi: an interface is missing in Options")
	}
	s := &Server{options: o, streams: &streams{
		free: make(chan struct{}, maxStreams), closing: make(chan struct{}), beat: o.EventBeat, poll: o.EventPoll, stall: o.EventStall,
	}}
	if o.TLS != nil {
		certs, err := newCertificates(*o.TLS, o.Now, o.Logger)
		if err != nil {
			return nil, err
		}
		s.certs = certs
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

// build puts routes and middleware together.
func (s *Server) build() error {
	o := s.options
	spec, err := api.Spec()
	if err != nil {
		return err
	}
	ops, err := newOperations(spec)
	if err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect() // nobody is believed about whom they speak for
	e.HTTPErrorHandler = problems{o.Logger}.handle
	h := &handlers{Options: o, streams: s.streams, previews: make(chan struct{}, maxPreviews)}
	gate := &gatekeeper{
		operations: ops, tokens: o.Tokens, attempts: newAttempts(o.Now), log: o.Logger, zoneName: h.zoneName,
		needCert: o.TLS != nil && o.TLS.ClientCA != "",
	}
	e.Use(o.Middleware...)
	e.Use(nameRoute, recoverPanic, securityHeaders, gate.guard, serveFace, limitBody(ops, o.BodyLimit, streamLimit), newValidator(ops).check)
	api.RegisterHandlers(e, api.NewStrictHandler(h, []api.StrictMiddlewareFunc{acceptCSV, h.acceptLines}))
	e.GET("/openapi.yaml", serveDocument)
	e.GET("/docs", serveDocs(docsPages()))
	e.GET("/ui/:file", serveAsset)
	e.GET("/session", gate.getSession)
	e.POST("/session", gate.createSession)
	e.DELETE("/session", gate.endSession)
	e.GET("/metrics", serveMetrics(o.Metrics))
	s.echo, s.operations = e, ops
	return nil
}

// Handler is the API without a listener.
func (s *Server) Handler() http.Handler {
	if s.options.Wrap != nil {
		return s.options.Wrap(s.echo)
	}
	return s.echo
}

// Run serves on ln until ctx ends, then lets running calls end within
// ShutdownGrace. It owns ln, and is called once. It returns nil when it was asked
// to stop, also if calls had to be cut off.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: min(10*time.Second, s.options.ReadTimeout),
		ReadTimeout: s.options.ReadTimeout, WriteTimeout: s.options.WriteTimeout, IdleTimeout: s.options.IdleTimeout,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug), // broken handshakes and the like
		BaseContext:    func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ln = modest{ln}
	if s.certs != nil {
		ln = tls.NewListener(ln, s.certs.config())
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve api: %w", err)
	case <-ctx.Done():
	}
	close(s.streams.closing) // streams would never end by themselves
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.ShutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		s.options.Logger.WarnContext(ctx, "api calls were cut off at shutdown", "error", err)
		_ = srv.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve api: %w", err)
	}
	return nil
}
