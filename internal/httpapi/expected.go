package httpapi

import (
	"github.com/hqms-sidecar/hqms-sidecar/api"
	"github.com/hqms-sidecar/hqms-sidecar/internal/calendar"
)

// viewStandings sums up how it stands with the expected files; nil where nobody
// expects any.
func viewStandings(c Calendar) *api.ExpectationSummary {
	if c == nil {
		return nil
	}
	latest, ahead := c.Standings()
	v := &api.ExpectationSummary{Kinds: []api.ExpectedKind{}}
	for _, e := range latest {
		kindOf(v, e).Latest = new(viewExpectation(e))
		switch e.State {
		case calendar.Late:
			v.Late++
		case calendar.Arrived:
			v.Arrived++
		case calendar.Due, calendar.NotExpected:
		}
	}
	for _, e := range ahead {
		kindOf(v, e).Ahead = new(viewExpectation(e))
		if e.State != calendar.Due {
			continue
		}
		v.Due++
		if v.NextDueAt == nil || e.Due.Before(*v.NextDueAt) {
			v.NextDueAt = new(e.Due.UTC())
		}
	}
	return v
}

// kindOf finds the entry of the expectation's channel and kind, or adds it.
func kindOf(v *api.ExpectationSummary, e calendar.Expectation) *api.ExpectedKind {
	for i := range v.Kinds {
		if k := &v.Kinds[i]; k.Channel == string(e.Channel) && k.Kind == string(e.Kind) {
			return k
		}
	}
	v.Kinds = append(v.Kinds, api.ExpectedKind{Channel: string(e.Channel), Kind: string(e.Kind)})
	return &v.Kinds[len(v.Kinds)-1]
}
