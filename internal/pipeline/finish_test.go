package pipeline

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// slow is a journal that takes its time for outcomes of one name.
type slow struct {
	*memory
	name string
	open chan struct{} // closed: it does not any more
}

func (s slow) RecordAll(ctx context.Context, u upload.Upload, all []upload.Outcome, now time.Time, keep bool) (upload.Upload, error) {
	if all[len(all)-1].Name() == s.name {
		<-s.open
	}
	return s.memory.RecordAll(ctx, u, all, now, keep)
}

func TestALaneDoesNotWaitForItsLastOutcomeToBeRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		for _, id := range []upload.ID{"a", "b", "c", "d"} {
			u := spotted(id)
			u.State = upload.StatePacked
			m.add(u)
		}
		var mu sync.Mutex
		var sent []upload.ID
		stages := with(way(), Stage{Name: "transmit", From: upload.StatePacked, Crew: Heavy, Run: func(_ context.Context, u upload.Upload) (upload.Outcome, error) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, u.ID)
			return upload.Sent(upload.Ticket{Token: "t"}, ""), nil
		}})
		j := slow{m, "sent", make(chan struct{})}
		p := build(m, stages, func(o *Options) { o.Journal, o.Concurrency = j, 1 })
		stop := running(t, p)
		synctest.Wait()
		mu.Lock()
		// One is being recorded beside the lane, one by it.
		if want := []upload.ID{"a", "b"}; !slices.Equal(sent, want) {
			t.Errorf("sent %v while none can be recorded, want %v", sent, want)
		}
		mu.Unlock()
		ended := make(chan struct{})
		go func() { stop(); close(ended) }()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("the pipeline ended with outcomes not recorded")
		default:
		}
		close(j.open)
		<-ended
		for id, want := range map[upload.ID]upload.State{"a": upload.StateSent, "b": upload.StateSent, "c": upload.StatePacked} {
			if got := m.get(id).State; got != want {
				t.Errorf("%s is %s, want %s", id, got, want)
			}
			if m.leased(id) {
				t.Errorf("%s is leased at the end", id)
			}
		}
	})
}
