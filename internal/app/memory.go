package app

import (
	"runtime/debug"
	"strings"
)

// thrift is how much garbage may gather, in percent of what is in use. The
// runtime's own 100 lets the resident memory grow to twice what is needed; what
// is in use is a few megabytes, so that collecting it more often costs little.
const thrift = 50

// saveMemory applies it, unless the operator has chosen by GOGC.
func saveMemory(environ []string) {
	if percent, ours := collectAt(environ); ours {
		debug.SetGCPercent(percent)
	}
}

func collectAt(environ []string) (percent int, ours bool) {
	for _, pair := range environ {
		if value, chosen := strings.CutPrefix(pair, "GOGC="); chosen && value != "" {
			return 0, false
		}
	}
	return thrift, true
}
