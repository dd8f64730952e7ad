package pipeline

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// joining is the way, with a validate stage whose outcome may be recorded later.
func joining(joins func(u upload.Upload) bool) []Stage {
	s := always("validate", upload.StateSettled, Heavy, upload.Validated(upload.Examination{Digest: "sha-256:aa"}))
	s.Joins = joins
	return with(way(), s)
}

func settled(id upload.ID) upload.Upload {
	u := spotted(id)
	u.State = upload.StateSettled
	return u
}

func TestWhatIsQuicklyMadeIsRecordedWithWhatFollows(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		joins   func(u upload.Upload) bool
		changes int // of validate, pack and transmit
	}{
		"small":                {func(upload.Upload) bool { return true }, 2},
		"large":                {func(upload.Upload) bool { return false }, 3},
		"a stage that is none": {nil, 3},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			m := newMemory(settled("a"))
			var told []string
			var seen upload.State
			stages := with(joining(c.joins), Stage{Name: "pack", From: upload.StateValidated, Crew: Heavy, Run: func(_ context.Context, u upload.Upload) (upload.Outcome, error) {
				seen = u.State
				return upload.Packed(), nil
			}})
			p := build(m, stages, func(o *Options) {
				o.Recorded = func(stage string, before, after upload.Upload) {
					told = append(told, stage+" "+string(before.State)+" "+string(after.State))
				}
			})
			if worked, err := p.RunOnce(t.Context(), upload.Flu, Heavy); !worked || err != nil {
				t.Fatalf("worked %v, error %v", worked, err)
			}
			if got, want := m.trail("a"), []string{"validated", "packed", "sent"}; !slices.Equal(got, want) {
				t.Errorf("went %v, want %v", got, want)
			}
			if want := []string{"validate settled validated", "pack validated packed", "transmit packed sent"}; !slices.Equal(told, want) {
				t.Errorf("told of %q, want %q", told, want)
			}
			if n := m.rows["a"].changes; n != c.changes || seen != upload.StateValidated {
				t.Errorf("%d changes, want %d; the second stage saw it %s", n, c.changes, seen)
			}
		})
	}
}

func TestWhatWaitsToBeRecordedIsRecordedWhateverFollows(t *testing.T) {
	t.Parallel()
	yes := func(upload.Upload) bool { return true }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for title, c := range map[string]struct {
		pack func(ctx context.Context) (upload.Outcome, error)
		took bool // the content is another's
		want []string
	}{
		"a fault": {func(context.Context) (upload.Outcome, error) {
			return upload.Outcome{}, upload.LocalFaultOf(upload.DiskFull, "", errors.New("full"))
		}, false, []string{"validated", "hold"}},
		"an interruption": {func(ctx context.Context) (upload.Outcome, error) {
			cancel()
			<-ctx.Done()
			return upload.Outcome{}, ctx.Err()
		}, false, []string{"validated"}},
		"content that is another's": {func(context.Context) (upload.Outcome, error) { return upload.Packed(), nil }, true, []string{"validated", "hold"}},
		"a step that is none":       {func(context.Context) (upload.Outcome, error) { return upload.Settled(upload.Identity{}), nil }, false, []string{"validated", "failed"}},
	} {
		t.Run(title, func(t *testing.T) {
			m := newMemory(settled("a"))
			m.taken["a"] = c.took
			p := build(m, with(joining(yes), Stage{Name: "pack", From: upload.StateValidated, Crew: Heavy, Run: func(ctx context.Context, _ upload.Upload) (upload.Outcome, error) {
				return c.pack(ctx)
			}}))
			within := t.Context()
			if title == "an interruption" {
				within = ctx
			}
			if worked, err := p.RunOnce(within, upload.Flu, Heavy); !worked || err != nil {
				t.Fatalf("worked %v, error %v", worked, err)
			}
			if got := m.trail("a"); !slices.Equal(got, c.want) {
				t.Errorf("went %v, want %v", got, c.want)
			}
			if m.leased("a") || m.rows["a"].changes != 1 {
				t.Errorf("leased %v, %d changes", m.leased("a"), m.rows["a"].changes)
			}
		})
	}
}

func TestAVerdictAndAPauseAreRecordedAtOnce(t *testing.T) {
	t.Parallel()
	yes := func(upload.Upload) bool { return true }
	for title, o := range map[string]upload.Outcome{
		"a verdict": upload.HeldBack(upload.Examination{Digest: "sha-256:aa"}),
		"a pause":   upload.Validated(upload.Examination{Digest: "sha-256:aa"}).After(1),
		"an end":    upload.Superseded(),
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			m := newMemory(settled("a"))
			s := always("validate", upload.StateSettled, Heavy, o)
			s.Joins = yes
			p := build(m, with(way(), s))
			if worked, err := p.RunOnce(t.Context(), upload.Flu, Heavy); !worked || err != nil {
				t.Fatalf("worked %v, error %v", worked, err)
			}
			if got := m.trail("a"); got[0] != o.Name() || m.rows["a"].changes < 1 || m.get("a").State == upload.StateSettled {
				t.Errorf("went %v, is %s", got, m.get("a").State)
			}
		})
	}
}

func TestALostLeaseDropsAllThatWasNotRecorded(t *testing.T) {
	t.Parallel()
	m := newMemory(settled("a"))
	var told int
	p := build(m, with(joining(func(upload.Upload) bool { return true }), Stage{Name: "pack", From: upload.StateValidated, Crew: Heavy, Run: func(context.Context, upload.Upload) (upload.Outcome, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.lost["a"] = true
		return upload.Packed(), nil
	}}), func(o *Options) { o.Recorded = func(string, upload.Upload, upload.Upload) { told++ } })
	if worked, err := p.RunOnce(t.Context(), upload.Flu, Heavy); !worked || err != nil {
		t.Fatalf("worked %v, error %v", worked, err)
	}
	if got := m.trail("a"); len(got) > 0 || told > 0 {
		t.Errorf("recorded %v, told %d times", got, told)
	}
}
