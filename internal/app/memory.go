package app

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// thrift is how much garbage may gather, in percent of what is in use. The
// runtime's own 100 lets the resident memory grow to twice what is needed; what
// is in use is a few megabytes, so that collecting it more often costs little.
const thrift = 50

// saveMemory applies it, unless the operator has chosen by GOGC, and keeps to what
// the container may use.
func saveMemory(environ []string) {
	if percent, ours := collectAt(environ); ours {
		debug.SetGCPercent(percent)
	}
	limitMemory(environ, os.DirFS("/"))
}

func collectAt(environ []string) (percent int, ours bool) {
	if chosen(environ, "GOGC") {
		return 0, false
	}
	return thrift, true
}

// chosen reports whether the operator has set the variable.
func chosen(environ []string, name string) bool {
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok && value != "" {
			return true
		}
	}
	return false
}

// restEvery is how often is looked whether there is nothing to do any more.
const restEvery = 20 * time.Second

// resting calls rest once when nothing has moved for a while: after the start, and
// after each spell of work. It ends with ctx.
func resting(ctx context.Context, moved func() int64, rest func()) {
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	last, rested := moved(), false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := moved()
		if now == last && !rested {
			rest()
			rested = true
		} else if now != last {
			rested = false
		}
		last = now
	}
}

// giveBack gives back what is not needed to do nothing: memory that was freed, and
// the code and constants that the start, or the work, has touched.
func (a *App) giveBack() {
	runtime.GC() // what a sync.Pool holds survives one collection
	debug.FreeOSMemory()
	if _, err := dropCode(); err != nil {
		a.log.Debug("pages of the program's file stay in memory", slog.Any("error", err))
	}
}
