package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/hqms-sidecar/hqms-sidecar/internal/config"
)

// The exit codes of the commands.
const (
	exitOK     = 0
	exitFailed = 1 // it was tried and did not work out
	exitUsage  = 2 // wrong words or settings
)

// Call is one call of the program.
type Call struct {
	Args    []string // without the program's name
	Environ []string
	Stdout  io.Writer
	Stderr  io.Writer
	Seams   Seams // zero in production
}

const usage = `hqms-sidecar %s

用法 usage: hqms-sidecar [命令 command]

  serve              运行（默认） run (the default)
  check [-json]      逐项检查配置、目录、网络、证书、账号 look at every setting, directory, connection and password
  validate FILE…     离线校验文件，不发送 check files, send nothing
  why FILE           说明一个文件适用的规则、现状与下一步 explain a file: rules, where it is, what happens next
  rules [-kind flu]  列出校验规则 list the rules files are checked by
  healthcheck        询问本机运行中的程序是否正常（供容器使用） ask the running program on this machine how it is
  version            版本 the version

配置全部来自环境变量，见 docs/configuration.md。 Settings are environment variables, see docs/configuration.md.
`

// Main runs one call and gives its exit code. SIGTERM and SIGINT end serve in
// order; a second one ends the process at once.
func Main(c Call) int {
	ctx, stop := untilSignalled()
	defer stop()

	name, args := "serve", c.Args
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	commands := map[string]func(context.Context, Call, []string) int{
		"serve": serve, "check": runCheck, "validate": runValidate, "why": runWhy, "rules": runRules, "healthcheck": healthcheck, "version": version,
		"help": help, "-h": help, "-help": help, "--help": help, "-v": version, "--version": version,
	}
	command, ok := commands[name]
	if !ok {
		fmt.Fprintf(c.Stderr, "没有命令 %q / there is no command %q\n\n"+usage, name, name, Version)
		return exitUsage
	}
	return command(ctx, c, args)
}

// untilSignalled gives a context that the first signal ends; the second ends the
// process at once, however soon it comes. Putting the signals' default back
// instead would lose one that comes in between, and a process that is the first
// of its container has no default to be ended by.
func untilSignalled() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	heard := make(chan os.Signal, 2)
	signal.Notify(heard, syscall.SIGTERM, syscall.SIGINT)
	over := make(chan struct{})
	go func() {
		for ctx.Err() == nil {
			select {
			case <-heard:
				cancel()
			case <-over:
				return
			}
		}
		select {
		case s := <-heard:
			code := exitFailed
			if n, ok := s.(syscall.Signal); ok {
				code = 128 + int(n) // as shells say it
			}
			os.Exit(code)
		case <-over:
		}
	}()
	return ctx, func() {
		signal.Stop(heard)
		close(over)
		cancel()
	}
}

func help(_ context.Context, c Call, _ []string) int {
	fmt.Fprintf(c.Stdout, usage, Version)
	return exitOK
}

func version(_ context.Context, c Call, _ []string) int {
	fmt.Fprintf(c.Stdout, "hqms-sidecar %s %s %s/%s\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitOK
}

func serve(ctx context.Context, c Call, args []string) int {
	if len(args) > 0 {
		fmt.Fprintf(c.Stderr, "serve 不接受参数 / serve takes no arguments: %q\n", args)
		return exitUsage
	}
	cfg, err := config.Load(c.Environ)
	if err != nil {
		printFaults(c.Stderr, err)
		return exitUsage
	}
	limitMemory(c.Environ, os.DirFS("/"))
	spareProcessors(c.Environ)
	for {
		saveMemory(c.Environ, careful)
		a, err := New(ctx, cfg, c.Stdout, c.Seams)
		saveMemory(c.Environ, thrift)
		if err != nil && ctx.Err() != nil {
			fmt.Fprintln(c.Stderr, "启动过程中被要求停止 / told to stop while it was starting")
			return exitOK
		}
		if faults := config.FaultsOf(err); len(faults) > 0 {
			printFaults(c.Stderr, faults)
			return exitUsage
		}
		if err != nil {
			explain(c.Stderr, cfg, err)
			return exitFailed
		}
		err = a.Run(ctx)
		if errors.Is(err, errDamaged) && ctx.Err() == nil {
			continue // the next one makes the journal anew
		}
		if err != nil {
			fmt.Fprintf(c.Stderr, "异常结束 / ended with a fault: %v\n", err)
			return exitFailed
		}
		return exitOK
	}
}

func printFaults(w io.Writer, err error) {
	if faults, ok := errors.AsType[config.Faults](err); ok {
		_ = faults.Print(w) // where stderr is closed nobody would read a complaint either
		return
	}
	fmt.Fprintln(w, err)
}
