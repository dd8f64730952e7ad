package app

import "runtime"

// diskWaits is how many threads may wait for the disk without a processor standing
// idle meanwhile: the journal's. To the runtime a thread in a write-through has its
// processor still, until somebody notices, which takes up to ten milliseconds: with
// as many of the runtime's processors as the machine has, files waited behind the
// disk while a quarter of the machine did nothing. With two more, small files are no
// faster, and of four the runtime gives a whole one to each collection of garbage.
const diskWaits = 1

// spareProcessors has the runtime run that many threads more than there are
// processors (or than the container may use), unless the operator has chosen by
// GOMAXPROCS.
func spareProcessors(environ []string) {
	if !chosen(environ, "GOMAXPROCS") {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + diskWaits)
	}
}
