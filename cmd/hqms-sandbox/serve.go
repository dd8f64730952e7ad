package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sandbox"
)

const defaultListen = "127.0.0.1:9090"

// serveFlags are the flags of serve before they are understood.
type serveFlags struct {
	listen, channel, account, password, passwordFile string
	faults, reject, partial                          list
	opts                                             sandbox.Options
}

func (f *serveFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.listen, "listen", defaultListen, "监听地址 | address to listen on")
	fs.StringVar(&f.opts.Dir, "data", "", "状态目录，重启后保留；不设则只在内存和临时目录 | directory for the state, kept over restarts; empty: gone at exit")
	fs.BoolVar(&f.opts.KeepFiles, "keep", false, "保留收到的压缩包（含患者数据，仅限试验数据） | keep the received packages (they hold patient data: use test data)")
	fs.StringVar(&f.channel, "channel", "", "根路径 / 的通道：flu 或 hqms；不设则按路径 /flu/ /hqms/ 或文件名 | channel of the bare path /: flu or hqms; empty: by path or file name")
	fs.StringVar(&f.account, "account", "demo", "账号 | account")
	f.password = "demo"
	fs.Var(secret{&f.password}, "password", "密码（默认 demo） | password (default demo)")
	fs.StringVar(&f.passwordFile, "password-file", "", "从文件读密码 | file to read the password from")
	fs.Var(secret{&f.opts.AdminToken}, "admin-token", "管理接口 /sandbox/ 的令牌；不设则开放 | bearer token of /sandbox/; empty: open")
	fs.DurationVar(&f.opts.Step, "step", 200*time.Millisecond, "解压、检查、入库每步最短用时 | shortest time of each step: unpack, check, save")
	fs.DurationVar(&f.opts.TokenTTL, "token-ttl", 30*time.Minute, "令牌有效期（上传前） | how long a token may be used for an upload")
	fs.DurationVar(&f.opts.ResultTTL, "result-ttl", 0, "结果可查询多久；0 为一直 | how long a result can be asked for; 0: for ever")
	fs.DurationVar(&f.opts.Stall, "stall", time.Minute, "上传无进展多久后断开 | an upload without progress is dropped after")
	fs.Int64Var(&f.opts.MaxPacked, "max-packed", 2<<30, "压缩包最大字节数 | largest package in bytes")
	fs.Int64Var(&f.opts.MaxUnpacked, "max-unpacked", 8<<30, "解压后最大字节数 | largest CSV in bytes")
	fs.IntVar(&f.opts.MaxArrivals, "max-arrivals", 100_000, "记住多少份数据 | how many deliveries are remembered")
	fs.BoolVar(&f.opts.AcceptDuplicates, "accept-duplicates", false, "不判重复，重复内容再次入库 | do not detect duplicates")
	f.reject.values, f.partial.values = []string{"*_reject*"}, []string{"*_partial*"}
	fs.Var(&f.reject, "reject", "文件名符合此模式的一律拒绝，可多次；-reject= 为不用 | reject files of such names; may be repeated; -reject= for none")
	fs.Var(&f.partial, "partial", "文件名符合此模式的只入库一半，可多次 | store half of files of such names; may be repeated")
	fs.Var(&f.faults, "fault", "故障，可多次：步骤:种类[,名=值…]，例如 upload:status,code=503,count=2；见 docs/sandbox.zh-CN.md | a fault; may be repeated: step:kind[,name=value…]; see docs/sandbox.md")
}

// options understands the flags.
func (f *serveFlags) options(log *slog.Logger) (sandbox.Options, error) {
	opts := f.opts
	opts.Channel, opts.Reject, opts.Partial, opts.Logger = sandbox.Channel(f.channel), f.reject.values, f.partial.values, log
	if f.passwordFile != "" {
		var err error
		if f.password, err = secretFromFile(f.passwordFile); err != nil {
			return opts, fmt.Errorf("password file: %w", err)
		}
	}
	opts.Accounts = map[string]string{f.account: f.password}
	for _, text := range f.faults.values {
		fault, err := sandbox.ParseFault(text)
		if err != nil {
			return opts, usageError{err}
		}
		opts.Faults = append(opts.Faults, fault)
	}
	return opts, nil
}

// serve runs the sandbox until ctx ends.
func serve(ctx context.Context, args []string, around surroundings) error {
	var f serveFlags
	fs := newFlags("serve")
	f.register(fs)
	unknown, err := parse(fs, args, around)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(around.stderr, nil))
	for _, name := range unknown {
		log.Warn("this variable stands for no flag and does nothing", "variable", name)
	}
	opts, err := f.options(log)
	if err != nil {
		return err
	}
	s, err := sandbox.New(opts)
	if err != nil {
		return err
	}
	return errors.Join(listen(ctx, s, f.listen, around, log), s.Close())
}

// listen serves HTTP until ctx ends, then gives requests in hand a few seconds.
func listen(ctx context.Context, s *sandbox.Server, addr string, around surroundings, log *slog.Logger) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("serving", "address", l.Addr().String())
	say(around.stdout, "沙箱 sandbox: http://%s/\n  FLU_SERVER_URL=http://%s/flu/\n  HQMS_SERVER_URL=http://%s/hqms/\n", l.Addr(), l.Addr(), l.Addr())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.LetGo()
	if err := srv.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("shut down: %w", err), srv.Close())
	}
	return nil
}

// healthcheck asks the sandbox on this machine whether it is up.
func healthcheck(ctx context.Context, args []string, around surroundings) error {
	fs := newFlags("healthcheck")
	addr := fs.String("listen", defaultListen, "沙箱的监听地址 | address the sandbox listens on")
	if _, err := parse(fs, args, around); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(*addr)
	if err != nil {
		return usageError{err}
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}
