package watch

import "time"

const (
	nudgeLeast = 20 * time.Millisecond
	nudgeMost  = time.Second
	nudgeIdle  = 2 * time.Second
)

// nudges spaces the nudges of each file: the first at once, the next ones at
// least 20 ms apart, and ever longer while they go on, up to a second: an
// exporter that closes its file after every row must not keep the journal busy.
// The last one of a row always comes.
type nudges struct {
	files map[string]*nudging
	next  time.Time // earliest wanted; zero: none
}

type nudging struct {
	allowed time.Time // not before
	gap     time.Duration
	want    bool
	echo    bool // one more after it
}

func newNudges() nudges { return nudges{files: map[string]*nudging{}} }

// add asks for a nudge of name, and with echo for another one after it.
func (n *nudges) add(name string, now time.Time, echo bool) {
	f := n.files[name]
	switch {
	case f == nil:
		f = &nudging{allowed: now, gap: nudgeLeast}
		n.files[name] = f
	case now.Sub(f.allowed) > nudgeIdle:
		f.allowed, f.gap = now, nudgeLeast
	}
	f.want, f.echo = true, f.echo || echo
	n.earlier(f.allowed)
}

// due is when fire has something to give; zero: nothing is asked for.
func (n *nudges) due() time.Time { return n.next }

// fire gives the names to nudge now.
func (n *nudges) fire(now time.Time) []string {
	if n.next.IsZero() || now.Before(n.next) {
		return nil
	}
	var names []string
	n.next = time.Time{}
	for name, f := range n.files {
		switch {
		case f.want && !now.Before(f.allowed):
			names = append(names, name)
			f.allowed, f.gap = now.Add(f.gap), min(2*f.gap, nudgeMost)
			f.want, f.echo = f.echo, false
		case !f.want && now.Sub(f.allowed) > nudgeIdle:
			delete(n.files, name)
			continue
		}
		if f.want {
			n.earlier(f.allowed)
		}
	}
	return names
}

func (n *nudges) earlier(t time.Time) {
	if n.next.IsZero() || t.Before(n.next) {
		n.next = t
	}
}
