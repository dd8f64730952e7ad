package main

import (
	"fmt"
	"os"

	"github.com/hqms-sidecar/hqms-sidecar/internal/e2e/sabotage"
)

func main() {
	if code, ordered := sabotage.Main(); ordered {
		os.Exit(code)
	}
	fmt.Fprintln(os.Stderr, "nothing to sabotage: set", sabotage.CrashEnv, "or", sabotage.FullEnv)
	os.Exit(2)
}
