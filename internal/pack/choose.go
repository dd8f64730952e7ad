package pack

import (
	"math"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/pack/optimal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// trait is what a level is like, as measured on files of both standards; see
// docs/performance.md.
type trait struct {
	speed float64 // bytes of source per second, on the machine it was measured on
	size  float64 // of the packed copy, where that of DefaultLevel is 1
}

// traits are the levels that the choice is made of; the others are worse than
// one of these in both.
var traits = map[int]trait{
	1:            {150e6, 1.095},
	DefaultLevel: {105e6, 1},
	7:            {70e6, 0.970},
	8:            {50e6, 0.952},
	lastFast + 1: {12e6, 0.903},
	lastFast + 2: {9e6, 0.891},
	lastFast + 3: {6e6, 0.883},
	MostLevel:    {4e6, 0.882},
}

const (
	// usual is how large a packed copy is at DefaultLevel, in terms of its source,
	// before any was measured.
	usual = 0.2
	// weight is that of the latest of the measurements.
	weight = 0.3
	// telling is how much must have been sent for its time to be the link's, and
	// not that of the way there and back.
	telling = 64 << 10
	// large is from which size on the slow levels are thought of.
	large = 1 << 20
	// steady is from which size on a packing tells how fast the machine is: of a
	// smaller one, what there is to do besides takes as long.
	steady = 8 << 20
	// keepsUp is how much faster than the link a copy has to be made for it to be
	// made while it is sent: the machine has other things to do.
	keepsUp = 1.5
	// justKeepsUp is that when it is being made: what counts then is whether it
	// holds the sending up.
	justKeepsUp = 1.1
	// mostMeanwhile is the highest level at which a copy is made while it is sent:
	// the one above it gives hardly less, and is kept for when a copy threatens to
	// become larger than was foretold.
	mostMeanwhile = MostLevel - 1
	// filled is how much larger it becomes than at once, being filled up to what
	// was foretold.
	filled = 1.006
)

// Chooser chooses levels: the one with which a file has arrived soonest, by how
// fast this machine packs and how fast the channel's link was. It is safe for
// concurrent use.
type Chooser struct {
	mu      sync.Mutex
	machine float64 // how long packing takes, in terms of what traits say
	links   map[upload.Channel]float64
	sizes   map[upload.Channel]float64
}

// NewChooser makes a chooser that knows the speed of links, in bytes per second.
func NewChooser(links map[upload.Channel]float64) *Chooser {
	c := &Chooser{machine: 1, links: map[upload.Channel]float64{}, sizes: map[upload.Channel]float64{}}
	for ch, speed := range links {
		if speed > 0 && !math.IsInf(speed, 0) {
			c.links[ch] = speed
		}
	}
	return c
}

// Circumstances are what besides the link decides.
type Circumstances struct {
	// Limit is the most bytes per second that may be sent; 0: no limit.
	Limit float64
	// Ahead is how many packed bytes go over the link before this file could:
	// while they do, packing costs no time.
	Ahead int64
	// WhileSending says that the copy may be packed anew while it is sent.
	WhileSending bool
}

// Level chooses for a source of size bytes; 0 while nothing is known of the link,
// and for a small one, which has a level of its own.
func (c *Chooser) Level(ch upload.Channel, size int64, o Circumstances) int {
	if size <= optimal.MostSmall {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	link, of := c.link(ch, o.Limit), c.size(ch)
	if link == 0 {
		return 0
	}
	best, least := 0, math.Inf(1)
	for level := 1; level <= MostLevel; level++ {
		t, ok := traits[level]
		if !ok || level > lastFast && size < large {
			continue
		}
		packing := float64(size) / t.speed * c.machine
		took := max(packing-float64(o.Ahead)/link, 0) + float64(size)*of*t.size/link
		if took < least*0.995 { // a higher level has to be worth its while
			best, least = level, took
		}
	}
	if anew := c.whileSending(of, link); o.WhileSending && anew != 0 && size >= large {
		packing := float64(size) / traits[DefaultLevel].speed * c.machine
		if max(packing-float64(o.Ahead)/link, 0)+float64(size)*of*traits[anew].size*filled/link < least {
			return DefaultLevel
		}
	}
	return best
}

// WhileSending chooses the level at which a packed copy is made smaller while it is
// sent, no more than limit bytes per second (0: no limit): the highest that keeps
// up with the link, 0 where none does. It gives the bytes per second that are to be
// made, too: should the machine be slower than it was, a lower level has to do.
func (c *Chooser) WhileSending(ch upload.Channel, source, packed int64, limit float64) (level int, pace float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	link := c.link(ch, limit)
	if link == 0 || source < large {
		return 0, 0
	}
	return c.whileSending(float64(packed)/float64(source), link), justKeepsUp * link
}

func (c *Chooser) whileSending(of, link float64) int {
	for level := mostMeanwhile; level > lastFast; level-- {
		if t, ok := traits[level]; ok && t.speed/c.machine*of*t.size >= keepsUp*link {
			return level
		}
	}
	return 0
}

// link is the speed of a channel's link, in bytes per second; 0: not known.
func (c *Chooser) link(ch upload.Channel, limit float64) float64 {
	link := c.links[ch]
	if limit > 0 && (link == 0 || limit < link) {
		return limit
	}
	return link
}

// size is what a packed copy is at DefaultLevel, in terms of its source.
func (c *Chooser) size(ch upload.Channel) float64 {
	if of := c.sizes[ch]; of != 0 {
		return of
	}
	return usual
}

// Packed learns from a packing.
func (c *Chooser) Packed(ch upload.Channel, level int, source, packed int64, took time.Duration) {
	t, ok := traits[level]
	if !ok || source < large || took <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if source >= steady {
		c.machine = blend(c.machine, min(max(took.Seconds()*t.speed/float64(source), 0.1), 20))
	}
	c.sizes[ch] = blend(c.sizes[ch], float64(packed)/float64(source)/t.size)
}

// Sent learns from an upload that was answered, and gives the link's speed in
// bytes per second as it is reckoned now; 0: not known.
func (c *Chooser) Sent(ch upload.Channel, bytes int64, took time.Duration) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes >= telling && took > 0 {
		// The mean is that of the time each byte takes: a slow hour weighs more
		// than a fast one, as it does for who waits.
		each := took.Seconds() / float64(bytes)
		if was := c.links[ch]; was > 0 {
			each = blend(1/was, each)
		}
		c.links[ch] = 1 / each
	}
	return c.links[ch]
}

// blend is the mean that the latest measurement counts most in; of 0, nothing
// was measured before.
func blend(was, now float64) float64 {
	if was == 0 {
		return now
	}
	return was + weight*(now-was)
}
