package validate

import (
	"sync"

	"github.com/hqms-sidecar/hqms-sidecar/internal/standard"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

const (
	// mostPlans bounds what Plans keeps: each kind of file has one header, as a rule.
	mostPlans = 8
	// longestHeader bounds the headers that are kept; one of 811 columns has 8 KB.
	longestHeader = 16 << 10
)

// Plans remembers how files with a certain header are checked, so that a thousand
// small files of one kind have it laid out once. It is for checks of one library
// and of the same options but for Now, MaxFindings and Links; nil remembers
// nothing. Safe for concurrent use: what is kept is never changed.
type Plans struct {
	mu   sync.Mutex
	own  *rulebook // the rules that hold before there is a header
	kept map[planKey]*laidOut
}

// planKey is all that decides how a file is checked.
type planKey struct {
	channel upload.Channel
	kind    upload.Kind
	charset string // of the header's bytes, as far as it was known
	linked  bool
	header  string
}

// laidOut is a check laid out for a header in which there was nothing to find.
type laidOut struct {
	layout *standard.Layout
	book   *rulebook
	plan   *plan // unused: each check takes its own by afresh
}

// rules are those of this program alone.
func (p *Plans) rules(override map[string]upload.Severity) *rulebook {
	if p == nil {
		return newRulebook(nil, override)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own == nil {
		p.own = newRulebook(nil, override)
	}
	return p.own
}

func (c *Checker) planKey(header string) planKey {
	return planKey{c.channel, c.kind, c.cs.name, c.opts.Links != nil, header}
}

// recall takes up a check that was laid out for the same header.
func (c *Checker) recall(r *row) bool {
	p := c.opts.Plans
	if p == nil || len(r.raw) > longestHeader {
		return false
	}
	p.mu.Lock()
	known, ok := p.kept[c.planKey(string(r.raw))]
	p.mu.Unlock()
	if ok {
		c.continueWith(known.book, known.layout)
		c.plan = known.plan.afresh()
	}
	return ok
}

// remember keeps what was laid out for a header.
func (c *Checker) remember(r *row) {
	p := c.opts.Plans
	if p == nil || len(r.raw) > longestHeader {
		return
	}
	kept := &laidOut{c.layout, c.led.book, c.plan.afresh()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil || len(p.kept) >= mostPlans {
		p.kept = map[planKey]*laidOut{}
	}
	p.kept[c.planKey(string(r.raw))] = kept
}
