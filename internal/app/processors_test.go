package app

import (
	"runtime"
	"testing"
)

func TestTheRuntimeHasAProcessorForTheThreadAtTheDiskUnlessTheOperatorChose(t *testing.T) { //nolint:paralleltest // it is the whole process's
	before := runtime.GOMAXPROCS(3)
	defer runtime.GOMAXPROCS(before)
	for _, c := range []struct {
		environ []string
		want    int
	}{
		{nil, 3 + diskWaits},
		{[]string{"GOMAXPROCS="}, 3 + diskWaits},
		{[]string{"A=1", "GOMAXPROCS=3"}, 3},
	} {
		spareProcessors(c.environ)
		if got := runtime.GOMAXPROCS(3); got != c.want {
			t.Errorf("%q: %d, want %d", c.environ, got, c.want)
		}
	}
}
