package calendar

import (
	"slices"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// State is how it stands with an expected file.
type State string

// The states.
const (
	Due         State = "due"          // the deadline is ahead
	Late        State = "late"         // it has passed, and nothing has arrived
	Arrived     State = "arrived"      // the server has it
	NotExpected State = "not_expected" // a holiday, or before the calendar began
)

// Delivery is what the calendar wants to know of an upload.
type Delivery struct {
	ID      upload.ID
	Kind    upload.Kind
	State   upload.State
	Verdict upload.Verdict
	Spotted time.Time
	Decided time.Time // when the verdict came; zero without one
}

// arrived reports whether the server has it.
func (d Delivery) arrived() bool {
	return d.Verdict.Good() || d.Verdict == upload.PartiallyAccepted
}

// underWay reports whether it may still arrive.
func (d Delivery) underWay() bool { return d.Verdict == "" && d.State.Open() }

// Expectation is a kind of file that is expected by a deadline, and how it stands.
type Expectation struct {
	Channel  upload.Channel
	Kind     upload.Kind
	Day      string    // of the deadline, in the ruler's zone
	Begins   time.Time // the deadline before; what is spotted after it counts
	Due      time.Time
	State    State
	Came     time.Time // when the first arrived; zero: none has
	Arrivals int
	UnderWay int
	Upload   upload.ID // the first that arrived, else the latest that did not; empty: none
	Note     string    // the holiday's name
}

// OnTime reports whether it arrived by its deadline.
func (e Expectation) OnTime() bool { return !e.Came.IsZero() && !e.Came.After(e.Due) }

// period is a stretch of time that ends with a deadline, and what belongs to it.
type period struct {
	Deadline
	begins time.Time
	own    []Delivery
}

func (p *period) met() bool {
	return slices.ContainsFunc(p.own, func(d Delivery) bool { return d.arrived() || d.underWay() })
}

// Assess says how it stands with the deadlines, which are those of one kind, in
// order; the first only begins the first period. Deliveries are of that kind, in
// any order. Deadlines up to began are nobody's fault.
func Assess(deadlines []Deadline, deliveries []Delivery, began, now time.Time) []Expectation {
	var all []Expectation
	for _, p := range periods(deadlines, deliveries, began) {
		e := Expectation{Day: p.Day, Begins: p.begins, Due: p.At, Note: p.Name}
		e.count(p.own)
		switch {
		case p.Holiday || !p.At.After(began) && e.Arrivals == 0:
			e.State = NotExpected
		case e.Arrivals > 0:
			e.State = Arrived
		case now.After(p.At):
			e.State = Late
		default:
			e.State = Due
		}
		all = append(all, e)
	}
	return all
}

// count fills in what belongs to the period.
func (e *Expectation) count(own []Delivery) {
	for _, d := range own {
		switch {
		case d.arrived():
			e.Arrivals++
			if e.Came.IsZero() || d.Decided.Before(e.Came) {
				e.Came, e.Upload = d.Decided, d.ID
			}
		case e.Arrivals == 0:
			e.Upload = d.ID
		}
		if d.underWay() {
			e.UnderWay++
		}
	}
}

// periods gives each delivery to the period it belongs to; see the package comment.
func periods(deadlines []Deadline, deliveries []Delivery, began time.Time) []*period {
	sorted := slices.SortedFunc(slices.Values(deliveries), func(a, b Delivery) int { return a.Spotted.Compare(b.Spotted) })
	var all []*period
	var last *period // the one before that expected something
	var begins time.Time
	for i, d := range deadlines {
		p := &period{Deadline: d, begins: begins}
		if i > 0 {
			all = append(all, p)
		}
		if d.Holiday {
			continue
		}
		if begins.IsZero() {
			begins = d.At
			continue
		}
		half := begins.Add(d.At.Sub(begins) / 2)
		missed := last != nil && last.At.After(began) && !last.met()
		for _, one := range sorted {
			if !one.Spotted.After(begins) || one.Spotted.After(d.At) {
				continue
			}
			if missed && !one.Spotted.After(half) {
				last.own = append(last.own, one)
			} else {
				p.own = append(p.own, one)
			}
		}
		last, begins = p, d.At
	}
	return all
}
