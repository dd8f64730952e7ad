package app

import (
	"sync"

	"github.com/hqms-sidecar/hqms-sidecar/internal/upload"
)

// blocks knows which stages of a channel are held up by our own surroundings
// (disk, permission), so that the channel can say so and stop saying so.
type blocks struct {
	show func(r upload.Reason, detail string) // of the first stage held up; empty: none

	mu    sync.Mutex
	order []string
	held  map[string]*upload.Fault
}

func newBlocks(show func(upload.Reason, string)) *blocks {
	return &blocks{show: show, held: map[string]*upload.Fault{}}
}

// faulted notes a stage's local fault.
func (b *blocks) faulted(stage string, f *upload.Fault) {
	if f.Class != upload.Local || f.Reason == upload.CredentialsMissing {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.held[stage]; !known {
		b.order = append(b.order, stage)
	}
	b.held[stage] = f
	b.tell()
}

// worked notes that a stage did its work: what held it up is over.
func (b *blocks) worked(stage string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.held[stage]; !known {
		return
	}
	delete(b.held, stage)
	for i, s := range b.order {
		if s == stage {
			b.order = append(b.order[:i], b.order[i+1:]...)
			break
		}
	}
	b.tell()
}

func (b *blocks) tell() {
	if len(b.order) == 0 {
		b.show("", "")
		return
	}
	f := b.held[b.order[0]]
	b.show(f.Reason, f.Detail)
}
