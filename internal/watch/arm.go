package watch

import (
	"os"
	"time"
)

// arm sets the watch up if it is not, or watches another directory than the one
// that the path leads to now. Whatever goes wrong leaves it to the rescan.
func (o *owner) arm(now time.Time) {
	if o.opts.NoEvents {
		return
	}
	there, err := os.Stat(o.opts.Dir.Path())
	if err != nil {
		o.disarm()
		return
	}
	if o.source != nil && os.SameFile(there, o.watched) {
		return
	}
	o.disarm()
	src, err := openSource(o.opts.Dir.Path())
	if err != nil {
		o.setEvents(EventsOff, err.Error())
		return
	}
	o.source, o.watched = src, there
	name, network := fileSystem(o.opts.Dir.Path())
	o.mu.Lock()
	o.status.FileSystem, o.status.Network = name, network
	o.mu.Unlock()
	if network {
		o.setEvents(EventsLocal, src.detail)
	} else {
		o.setEvents(EventsOn, src.detail)
	}
	o.releaseCanary(now)
}

// disarm lets go of the watch. Hints are dropped: what follows is not seen.
func (o *owner) disarm() {
	if o.source == nil {
		return
	}
	o.source.close()
	o.source, o.watched, o.canary = nil, nil, canary{}
	o.dropHints()
	o.setEvents(EventsOff, "")
	o.setSelfTest(TestNone)
}

func (o *owner) setEvents(s EventState, detail string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status.Events, o.status.EventsDetail = s, detail
}
