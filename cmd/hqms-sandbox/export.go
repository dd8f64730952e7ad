package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/exporter"
)

var errNoDirectory = errors.New("用 -flu 或 -hqms 指定目录 (give a directory by -flu or -hqms)")

// export writes files of all feeds, once or again and again.
func export(ctx context.Context, args []string, around surroundings) error {
	var o exporter.Options
	var every time.Duration
	fs := newFlags("export")
	fs.StringVar(&o.FluDir, "flu", "", "flu 通道的监测目录；不设则不写 | watched directory of channel flu; empty: left out")
	fs.StringVar(&o.HQMSDir, "hqms", "", "hqms 通道的监测目录；不设则不写 | watched directory of channel hqms; empty: left out")
	fs.IntVar(&o.Rows, "rows", 20, "每个文件的数据行数 | data rows of each file")
	fs.DurationVar(&o.Pace, "pace", 300*time.Millisecond, "慢速写入两段之间的停顿 | pause of the slow writers between two portions")
	fs.DurationVar(&every, "every", 0, "每隔多久再导出一次；0 为只导出一次 | how often to write again; 0: once")
	if _, err := parse(fs, args, around); err != nil {
		return err
	}
	if o.FluDir == "" && o.HQMSDir == "" {
		return usageError{errNoDirectory}
	}
	o.Logger = slog.New(slog.NewJSONHandler(around.stderr, nil))
	for {
		written, err := exporter.Run(ctx, o)
		for _, w := range written {
			say(around.stdout, "%s\t%s\t%s\t%d\t%s\n", w.Channel, w.Filename, w.Charset, w.Rows, w.Manner)
		}
		if every <= 0 {
			return err
		}
		if err != nil { // the next round may find room, or the directory
			o.Logger.Warn("cannot export, will try again", "error", err)
		}
		if !waited(ctx, every) {
			return nil
		}
	}
}

// waited waits for d; false if ctx ended first.
func waited(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
