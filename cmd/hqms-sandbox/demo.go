package main

import (
	"context"

	"github.com/hqms-sidecar/hqms-sidecar/internal/demo"
)

// runDemo shows sandbox, sidecar and exporter at work together.
func runDemo(ctx context.Context, args []string, around surroundings) error {
	o := demo.Options{Out: around.stdout}
	fs := newFlags("demo")
	fs.StringVar(&o.Sidecar, "sidecar", "bin/hqms-sidecar", "sidecar 程序 | the sidecar's binary")
	fs.StringVar(&o.Dir, "dir", "demo-data", "演示目录，开始时清空 | directory of the demo, emptied at the start")
	fs.BoolVar(&o.Stay, "stay", false, "不结束，每分钟再导出一次 | stay up, export again every minute")
	fs.StringVar(&o.API, "api", "127.0.0.1:8080", "sidecar 接口地址 | address of the sidecar's API")
	fs.StringVar(&o.Sandbox, "listen", defaultListen, "沙箱地址 | address of the sandbox")
	if _, err := parse(fs, args, around); err != nil {
		return err
	}
	return demo.Run(ctx, o)
}
