// Command hqms-sidecar watches directories for the CSV files that Chinese
// hospitals owe the national quality monitoring systems, and delivers them.
package main

import (
	"os"
	_ "time/tzdata" // an image has no zones, and without them TZ would silently be UTC

	"github.com/hqms-sidecar/hqms-sidecar/internal/app"
)

// around surrounds the call; in builds with the tag "profile" it is measured.
var around = func(call func() int) int { return call() }

func main() {
	os.Exit(around(func() int {
		return app.Main(app.Call{Args: os.Args[1:], Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr})
	}))
}
