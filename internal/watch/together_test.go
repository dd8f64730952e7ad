package watch

import (
	"fmt"
	"testing"
)

func TestEventsThatAreThereAreTakenTogether(t *testing.T) {
	t.Parallel()
	o := newOwner(New(Options{Dir: newFakeDir(), Kinds: kinds, Ledger: newFakeLedger()}))
	o.takeAll() // nothing is heard: nothing is waited for
	o.source = &source{events: make(chan event, takeAtOnce+10)}
	for i := range takeAtOnce + 10 {
		o.source.events <- event{op: evRenamed, name: fmt.Sprintf("flu_%d.csv", i), from: "x.tmp"}
	}
	for _, want := range []int{takeAtOnce, takeAtOnce + 10, takeAtOnce + 10} {
		if o.takeAll(); len(o.touched) != want {
			t.Errorf("%d files are to be looked at, want %d", len(o.touched), want)
		}
	}
	if o.gather.IsZero() {
		t.Error("nobody will look at them")
	}
}
