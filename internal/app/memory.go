package app

import (
	"context"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

const (
	// thrift is how much garbage may gather, in percent of what is in use. The
	// runtime's own 100 lets the resident memory grow to twice what is needed, and
	// with it a thousand uploads in flight come close to 64 MiB; at 50, collecting
	// takes a tenth of a small file's processor time.
	thrift = 75
	// careful is the same during the start. What is made then stays, and lies among
	// the garbage of its making: the less of that, the fewer holes are left.
	careful = 15
)

// saveMemory lets garbage gather up to percent, unless the operator has chosen by
// GOGC.
func saveMemory(environ []string, percent int) {
	if !chosen(environ, "GOGC") {
		debug.SetGCPercent(percent)
	}
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

const (
	// restEvery is how often is looked whether there is nothing to do any more.
	restEvery = 20 * time.Second
	// restAgain is after how many such looks the little that goes on while nothing
	// is to do is tidied up after.
	restAgain = 3
)

// resting calls rest when nothing has moved for a while: after the start, and
// after each spell of work; and then again and again as long as nothing moves. It
// ends with ctx.
func resting(ctx context.Context, moved func() int64, rest func(again bool)) {
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	last, still := moved(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := moved()
		if now != last {
			last, still = now, 0
			continue
		}
		if still%restAgain == 0 {
			rest(still > 0)
		}
		still++
	}
}

// shrinkings is how many collections bring a lane's stack, grown by its work, back
// to its smallest: each halves it. What a sync.Pool holds survives one of them.
const shrinkings = 5

// giveBack gives back what is not needed to do nothing: memory that was freed, and
// the code and constants that the start, or the work, has touched. Again, it is
// what a minute of doing nothing has touched, the collection of garbage among it:
// else the runtime would collect on its own every two minutes, and keep.
func (a *App) giveBack(ctx context.Context, again bool) {
	if !again {
		if err := a.journal.Rest(ctx); err != nil {
			a.log.Debug("memory of the journal was not given back", slog.Any("error", err))
		}
		for range shrinkings {
			runtime.GC()
		}
	}
	debug.FreeOSMemory()
	if _, err := dropCode(); err != nil {
		a.log.Debug("pages of the program's file stay in memory", slog.Any("error", err))
	}
}
