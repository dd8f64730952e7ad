package watch

import (
	"errors"
	"io/fs"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/durable"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// takeAtOnce bounds how many events are taken before something is done about them.
const takeAtOnce = 1024

// takeAll takes the events that are there already: files that come by the hundred
// while the ledger is told of one are told of together.
func (o *owner) takeAll() {
	for range takeAtOnce {
		select {
		case e := <-o.events():
			o.take(e)
		default:
			return
		}
	}
}

// take notes an event; nothing is looked at before a moment has passed.
func (o *owner) take(e event) {
	o.canary.heard(e.name)
	switch e.op {
	case evLost:
		o.lost()
		return
	case evDirGone:
		o.disarm()
		o.rescanSoon()
		return
	case evTouched, evClosed, evRenamed, evGone:
	}
	if isMarker(e.name) {
		if e.op == evGone {
			return
		}
		for _, name := range marked(e.name) {
			o.nudge(name, o.now())
		}
		return
	}
	switch o.classify(e.name) {
	case classIgnored, classUnknown:
		return // the next rescan counts them
	case classInvalid:
		if e.op != evGone {
			o.addUnfit(e.name, upload.NameInvalid)
		}
		return
	case classOurs:
	}
	o.takeOurs(e)
}

func (o *owner) takeOurs(e event) {
	t := o.touched[e.name]
	switch e.op {
	case evClosed:
		o.dropHint(e.name)
		t.renamed, t.nudge = false, true
	case evRenamed:
		o.dropHint(e.name)
		t.renamed, t.nudge = temporary(e.from), true
	case evGone:
		o.dropHint(e.name)
		t.renamed = false
	default:
		if f := o.known[e.name]; f != nil && f.open {
			return // being written to: settling looks by itself
		}
		if o.pending.has(e.name) {
			return // looked at again when its turn comes
		}
	}
	o.touch(e.name, t)
	if t.nudge {
		o.gather = o.now() // it is likely whole: no use in waiting
	}
}

func (o *owner) touch(name string, t touch) {
	o.touched[name] = t
	if o.gather.IsZero() {
		o.gather = o.now().Add(gatherFor)
	}
}

// lookAtTouched looks at every file that events or releases named.
func (o *owner) lookAtTouched(now time.Time) {
	for name, t := range o.touched {
		o.lookAt(name, t, now)
	}
	clear(o.touched)
	o.gather = time.Time{}
}

func (o *owner) lookAt(name string, t touch, now time.Time) {
	id, err := o.opts.Dir.Look(name)
	f := o.known[name]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.gone(name)
		return
	case errors.Is(err, durable.ErrNotRegular):
		o.addUnfit(name, upload.NotRegular)
		return
	case err != nil:
		o.rescanSoon() // finds out what is the matter with the directory
		return
	}
	if t.renamed {
		o.hint(name, id)
	}
	switch {
	case f != nil && f.open:
		if t.nudge {
			o.nudge(name, now)
		}
	case f != nil && f.id == id:
	default:
		o.enqueue(name, id, now, false)
	}
}

// gone forgets a file that is not there any more; an open upload finds out when
// it looks.
func (o *owner) gone(name string) {
	o.dropHint(name)
	o.pending.drop(name)
	if f := o.known[name]; f != nil && !f.open {
		delete(o.known, name)
	}
}

// nudge asks for another look at the file of an open upload. A file spotted only
// just now is likely being looked at in this moment, and the nudge would be lost
// on it: it gets another.
func (o *owner) nudge(name string, now time.Time) {
	if f := o.known[name]; f != nil && f.open {
		o.nudges.add(name, now, o.age(now)-f.checked < age(justNow))
	}
}

// justNow is how long a claim and a look take, generously.
const justNow = 250 * time.Millisecond

// lost starts over after events were lost. Under a flood that goes on, not more
// often than the directory can be read.
func (o *owner) lost() {
	o.mu.Lock()
	o.status.Overflows++
	o.mu.Unlock()
	o.dropHints()
	o.disarm()
	o.rescanSoon()
}

// rescanSoon brings the rescan forward to now, or as soon as seems decent. It looks at
// all, since something is the matter with what was heard.
func (o *owner) rescanSoon() {
	o.whole = true
	at := o.scanAt.Add(max(100*time.Millisecond, 2*o.scanTook))
	if now := o.now(); at.Before(now) {
		at = now
	}
	if at.Before(o.rescanAt) {
		o.rescanAt = at
	}
}
