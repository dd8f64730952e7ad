package watch

import (
	"os"
	"time"
)

// storage is the file system that a directory is on.
type storage struct {
	name    string // empty: not known; 0x…: its number, which we have no name for
	network bool   // written to by machines of which no event tells
	local   bool   // known to be written to by this one alone
}

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
	on := storageOf(o.opts.Dir.Path())
	o.local, o.whole = on.local, true // what happened until now was not seen
	o.mu.Lock()
	o.status.FileSystem, o.status.Network = on.name, on.network
	o.mu.Unlock()
	if on.network {
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
