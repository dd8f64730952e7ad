package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/exporter"
	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

// Options say how to run the demo.
type Options struct {
	Sidecar string // path of the sidecar's binary
	Dir     string // where everything is put; it is made, and removed at the end unless Stay
	Stay    bool   // do not end after the last verdict; export again every minute
	API     string // address of the sidecar's API; a free port if it is taken
	Sandbox string // address of the sandbox, likewise
	Out     io.Writer
}

// patience is how long the demo waits for the verdicts of one export.
const patience = 2 * time.Minute

// Run runs the demo. Its error says what went wrong; a file that did not come
// to its verdict is one.
func Run(ctx context.Context, o Options) (err error) {
	d := &show{Options: o}
	if d.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	if err := os.RemoveAll(d.Dir); err != nil {
		return fmt.Errorf("clear the demo's directory: %w", err)
	}
	for _, sub := range []string{"flu", "hqms", "state"} {
		if err := os.MkdirAll(filepath.Join(d.Dir, sub), 0o750); err != nil {
			return err
		}
	}
	if !o.Stay {
		defer func() { err = errors.Join(err, os.RemoveAll(d.Dir)) }()
	}
	stopSandbox, err := d.startSandbox(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopSandbox()) }()
	stopSidecar, err := d.startSidecar(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopSidecar()) }()
	if err := d.client.ready(ctx, d.ended); err != nil {
		return fmt.Errorf("%w; its log is %s", err, d.logFile())
	}
	d.welcome()
	return d.perform(ctx)
}

// show is a running demo.
type show struct {
	Options
	client client
	server string        // base URL of the sandbox
	ended  chan struct{} // closed when the sidecar ends
}

func (d *show) logFile() string { return filepath.Join(d.Dir, "sidecar.log") }

// listen takes addr, or a free port on the same host if it is taken.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err == nil {
		return l, nil
	}
	host, _, splitErr := net.SplitHostPort(addr)
	if splitErr != nil {
		return nil, err
	}
	return lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
}

func (d *show) startSandbox(ctx context.Context) (stop func() error, err error) {
	s, err := sandbox.New(sandbox.Options{
		Accounts: map[string]string{"demo": "demo"}, Step: 100 * time.Millisecond,
		Reject: []string{"*_reject*"}, Partial: []string{"*_partial*"}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	l, err := listen(ctx, d.Sandbox)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the sandbox: %w", err), s.Close())
	}
	d.server = "http://" + l.Addr().String()
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	return func() error {
		closing := srv.Close()
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			closing = errors.Join(closing, served)
		}
		return errors.Join(closing, s.Close())
	}, nil
}

func (d *show) startSidecar(ctx context.Context) (stop func() error, err error) {
	l, err := listen(ctx, d.API) // find a port that is free
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	out, err := os.Create(d.logFile())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(d.Sidecar) //nolint:gosec,noctx // whoever starts the demo names the binary; it is ended by SIGTERM, in order
	cmd.Env = append(os.Environ(),
		"STATE_DIR="+filepath.Join(d.Dir, "state"), "LISTEN_ADDR="+addr, "LOG_DIR="+filepath.Join(d.Dir, "logs"),
		"FLU_WATCH_DIR="+filepath.Join(d.Dir, "flu"), "FLU_ACCOUNT=demo", "FLU_PASSWORD=demo", "FLU_SERVER_URL="+d.server+"/flu/",
		"HQMS_WATCH_DIR="+filepath.Join(d.Dir, "hqms"), "HQMS_ACCOUNT=demo", "HQMS_PASSWORD=demo", "HQMS_SERVER_URL="+d.server+"/hqms/",
		"POLL_MIN=200ms", "CONCURRENCY=4",
	)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us; we end it in order
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the sidecar: %w", errors.Join(err, out.Close()))
	}
	d.client, d.ended = client{"http://" + addr, tokenOf(os.Getenv)}, make(chan struct{})
	var waited error
	go func() {
		waited = errors.Join(cmd.Wait(), out.Close())
		close(d.ended)
	}()
	return func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		<-d.ended
		if waited != nil {
			return fmt.Errorf("the sidecar: %w; its log is %s", waited, d.logFile())
		}
		return nil
	}, nil
}

func (d *show) say(format string, args ...any) { _, _ = fmt.Fprintf(d.Out, format+"\n", args...) }

func (d *show) welcome() {
	d.say("沙箱 sandbox    %s/", d.server)
	d.say("接口 API        %s/status   %s/uploads   %s/metrics", d.client.base, d.client.base, d.client.base)
	d.say("目录 directory  %s", d.Dir)
	d.say("")
}

// perform exports, and follows the files to their verdicts; once, or again and
// again until ctx ends.
func (d *show) perform(ctx context.Context) error {
	for {
		if err := d.once(ctx); err != nil {
			if ctx.Err() != nil && d.Stay {
				return nil
			}
			return err
		}
		if !d.Stay {
			return nil
		}
		d.say("\n一分钟后再次导出，Ctrl-C 结束 / the next export is in a minute, Ctrl-C ends")
		select {
		case <-ctx.Done():
			return nil
		case <-d.ended:
			return errors.New("the sidecar has ended")
		case <-time.After(time.Minute):
		}
	}
}

// once makes one export and waits for all its verdicts.
func (d *show) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	followed, told := make(chan error, 1), newTeller(d)
	go func() { followed <- d.client.follow(ctx, told.hear) }()
	written, err := exporter.Run(ctx, exporter.Options{FluDir: filepath.Join(d.Dir, "flu"), HQMSDir: filepath.Join(d.Dir, "hqms")})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	told.expect(written)
	select {
	case <-told.done:
	case err := <-followed:
		if err != nil {
			return fmt.Errorf("follow the uploads: %w", err)
		}
	case <-ctx.Done():
		return fmt.Errorf("not every file came to its verdict within %v; the log is %s", patience, d.logFile())
	}
	rows, err := d.client.uploads(ctx)
	if err != nil {
		return err
	}
	return d.table(rows, written)
}
