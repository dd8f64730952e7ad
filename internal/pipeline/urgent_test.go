package pipeline

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// Urgent kinds go first, and yet a stream of them lets the others through.
func TestUrgentKindsGoFirstAndStarveNobody(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for i := range 4 {
		u := spotted(upload.ID(fmt.Sprintf("a%d", i)))
		u.Kind = "flu"
		m.rows[u.ID] = &row{u: u}
	}
	p := build(m, []Stage{always("settle", upload.StateSpotted, Light, upload.Settled(upload.Identity{Size: 1}))},
		func(o *Options) { o.Urgent = func(upload.Channel) []upload.Kind { return []upload.Kind{"lis"} } })
	var order []upload.Kind
	for i := range 12 { // each time one more urgent file is there
		u := spotted(upload.ID(fmt.Sprintf("b%02d", i)))
		u.Kind = "lis"
		m.rows[u.ID] = &row{u: u}
		before := len(m.settled("flu"))
		if worked, err := p.RunOnce(t.Context(), upload.Flu, Light); !worked || err != nil {
			t.Fatal(worked, err)
		}
		if len(m.settled("flu")) > before {
			order = append(order, "flu")
		} else {
			order = append(order, "lis")
		}
	}
	want := slices.Repeat([]upload.Kind{"lis", "lis", "lis", "flu"}, 3)
	if !slices.Equal(order, want) {
		t.Errorf("order %v", order)
	}
}

// settled lists the uploads of a kind that have left the first state.
func (m *memory) settled(kind upload.Kind) (ids []upload.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, r := range m.rows {
		if r.u.Kind == kind && r.u.State == upload.StateSettled {
			ids = append(ids, id)
		}
	}
	return ids
}
