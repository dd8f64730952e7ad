//go:build profile

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

// A build with the tag "profile" writes cpu.pprof, heap.pprof and allocs.pprof
// into the directory that PROFILE_DIR names, when it ends in order.
func init() {
	dir := os.Getenv("PROFILE_DIR")
	if dir == "" {
		return
	}
	around = func(call func() int) int {
		cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
		if err == nil {
			err = pprof.StartCPUProfile(cpu)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "profile:", err)
			return 1
		}
		code := call()
		pprof.StopCPUProfile()
		_ = cpu.Close()
		runtime.GC() // the heap profile is as of the latest collection
		for _, name := range []string{"heap", "allocs"} {
			f, err := os.Create(filepath.Join(dir, name+".pprof"))
			if err == nil {
				err = pprof.Lookup(name).WriteTo(f, 0)
				_ = f.Close()
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, "profile:", err)
			}
		}
		return code
	}
}
