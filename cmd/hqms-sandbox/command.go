package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// surroundings is what a command may touch beside its arguments.
type surroundings struct {
	environ        []string
	stdout, stderr io.Writer
}

// command is one of the program's commands. Its exit codes: 0 done, 1 failed,
// 2 wrong usage.
type command struct {
	name    string
	summary string // Chinese, then English
	run     func(ctx context.Context, args []string, around surroundings) error
}

func commands() []command {
	return []command{
		{"serve", "启动沙箱服务器（默认） / serve the sandbox (default)", serve},
		{"export", "模拟 HIS 导出七类接口文件 / write files of all seven feeds as a HIS would", export},
		{"demo", "演示：沙箱、sidecar、导出程序一起运行 / show sandbox, sidecar and exporter at work", runDemo},
		{"healthcheck", "检查本机沙箱是否在运行 / ask the local sandbox whether it is up", healthcheck},
		{"version", "显示版本 / print the version", version},
	}
}

// usageError is a fault of the command line.
type usageError struct{ error }

// run finds the command and turns its error into an exit code.
func run(ctx context.Context, args []string, around surroundings) int {
	err := dispatch(ctx, args, around)
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		say(around.stderr, "hqms-sandbox: %v\n", err)
		return 2
	default:
		say(around.stderr, "hqms-sandbox: %v\n", err)
		return 1
	}
}

func dispatch(ctx context.Context, args []string, around surroundings) error {
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) == 1 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		overview(around.stdout) // and then the flags of serve
	}
	if name == "help" {
		overview(around.stdout)
		return nil
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, args, around)
		}
	}
	overview(around.stderr)
	return usageError{fmt.Errorf("没有命令 %q / no command %q", name, name)}
}

func overview(w io.Writer) {
	say(w, `hqms-sandbox：HQMS / 流感监测对接接口的试验服务器
hqms-sandbox: a docking server to try HQMS and influenza exports against

用法 usage: hqms-sandbox [命令 command] [选项 flags]

`)
	for _, c := range commands() {
		say(w, "  %-12s %s\n", c.name, c.summary)
	}
	say(w, `
每个选项也可用环境变量 SANDBOX_<选项> 设置，例如 -token-ttl → SANDBOX_TOKEN_TTL
Each flag can also be set by SANDBOX_<FLAG>, for example -token-ttl by SANDBOX_TOKEN_TTL
各命令的选项 flags of a command: hqms-sandbox <命令 command> -h

`)
}

func version(_ context.Context, _ []string, around surroundings) error {
	v := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
	}
	_, err := fmt.Fprintln(around.stdout, "hqms-sandbox", v)
	return err
}

// say writes to the terminal; there is nobody to tell if that fails.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
