package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal"
	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// blockDoubted is from when on it is asked whether an upload that was held up still is:
// one that is tries again every few seconds.
const blockDoubted = time.Minute

// blocks knows which stages of a channel are held up by our own surroundings
// (disk, permission), so that the channel can say so and stop saying so.
type blocks struct {
	show func(r upload.Reason, detail string) // of the first stage held up; empty: none

	mu    sync.Mutex
	order []string
	held  map[string]block
}

// block is what holds up a stage, and of which upload that was seen last.
type block struct {
	fault *upload.Fault
	of    upload.ID
	from  upload.State
	at    time.Time
}

func newBlocks(show func(upload.Reason, string)) *blocks {
	return &blocks{show: show, held: map[string]block{}}
}

// faulted notes a stage's local fault.
func (b *blocks) faulted(stage string, u upload.Upload, f *upload.Fault) {
	if f.Class != upload.Local || f.Reason == upload.CredentialsMissing {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.held[stage]; !known {
		b.order = append(b.order, stage)
	}
	b.held[stage] = block{f, u.ID, u.State, time.Now()}
	b.tell()
}

// worked notes that a stage did its work: what held it up is over.
func (b *blocks) worked(stage string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end(stage)
}

// end needs mu.
func (b *blocks) end(stage string) {
	if _, known := b.held[stage]; !known {
		return
	}
	delete(b.held, stage)
	b.order = slices.DeleteFunc(b.order, func(s string) bool { return s == stage })
	b.tell()
}

// look ends what held up uploads that no longer wait for it: they were cancelled, or
// another replica has taken them on, and no stage here will say that it worked.
func (b *blocks) look(ctx context.Context, get func(ctx context.Context, id upload.ID) (upload.Upload, error)) error {
	for stage, x := range b.doubted(time.Now()) {
		u, err := get(ctx, x.of)
		switch {
		case errors.Is(err, journal.ErrNotFound):
		case err != nil:
			return err
		case u.State == x.from && u.Reason == x.fault.Reason:
			continue
		}
		b.mu.Lock()
		if b.held[stage] == x { // else it was seen again meanwhile
			b.end(stage)
		}
		b.mu.Unlock()
	}
	return nil
}

// doubted are those that were not seen for a while.
func (b *blocks) doubted(now time.Time) map[string]block {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]block{}
	for stage, x := range b.held {
		if now.Sub(x.at) >= blockDoubted {
			all[stage] = x
		}
	}
	return all
}

func (b *blocks) tell() {
	if len(b.order) == 0 {
		b.show("", "")
		return
	}
	f := b.held[b.order[0]].fault
	b.show(f.Reason, f.Detail)
}
